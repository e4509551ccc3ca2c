/* What a rank hands to MPI: messages and bytes from point to point, and collectives. scripts/benchmarks/bench_scale.py
   compiles it and loads it before MPI (LD_PRELOAD); e3d_messages() gives the counts since the start of the process. */

#include <mpi.h>

static long long counts[3]; /* messages, bytes, collectives */

long long *e3d_messages(void)
{
  return counts;
}

static void sent(int count, MPI_Datatype type, int to)
{
  int size;
  if (to == MPI_PROC_NULL) return;
  PMPI_Type_size(type, &size);
  counts[0]++;
  counts[1] += (long long) count * size;
}

int MPI_Send(const void *buf, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
  sent(n, type, to);
  return PMPI_Send(buf, n, type, to, tag, comm);
}

int MPI_Rsend(const void *buf, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
  sent(n, type, to);
  return PMPI_Rsend(buf, n, type, to, tag, comm);
}

int MPI_Isend(const void *buf, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
  sent(n, type, to);
  return PMPI_Isend(buf, n, type, to, tag, comm, request);
}

int MPI_Sendrecv(const void *buf, int n, MPI_Datatype type, int to, int tag, void *in, int m, MPI_Datatype in_type,
                 int from, int in_tag, MPI_Comm comm, MPI_Status *status)
{
  sent(n, type, to);
  return PMPI_Sendrecv(buf, n, type, to, tag, in, m, in_type, from, in_tag, comm, status);
}

int MPI_Allreduce(const void *in, void *out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  counts[2]++;
  return PMPI_Allreduce(in, out, n, type, op, comm);
}

int MPI_Reduce(const void *in, void *out, int n, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm)
{
  counts[2]++;
  return PMPI_Reduce(in, out, n, type, op, root, comm);
}

int MPI_Bcast(void *buf, int n, MPI_Datatype type, int root, MPI_Comm comm)
{
  counts[2]++;
  return PMPI_Bcast(buf, n, type, root, comm);
}

int MPI_Allgather(const void *in, int n, MPI_Datatype type, void *out, int m, MPI_Datatype out_type, MPI_Comm comm)
{
  counts[2]++;
  return PMPI_Allgather(in, n, type, out, m, out_type, comm);
}

int MPI_Scan(const void *in, void *out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  counts[2]++;
  return PMPI_Scan(in, out, n, type, op, comm);
}

int MPI_Barrier(MPI_Comm comm)
{
  counts[2]++;
  return PMPI_Barrier(comm);
}
