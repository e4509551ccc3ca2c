/* C interface of libe3d_engine: Allegro models without torch.
 *
 * For ctypes, for dlopen, and for programs that link the library. Nothing here throws; a call that fails
 * returns NULL or a value other than 0, and e3d_engine_error() has the reason, a text for people. Lengths
 * are in angstrom, energies in eV.
 *
 * A model is read once and may be shared by any number of threads. An evaluator has scratch memory and
 * threads of its own and serves one caller at a time.
 */
#ifndef E3D_ENGINE_H
#define E3D_ENGINE_H

#include <stdint.h>

#if defined(__GNUC__)
#define E3D_ENGINE_API __attribute__((visibility("default")))
#else
#define E3D_ENGINE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Grows by one whenever a signature or a struct below changes; the caller compares it with what
   e3d_engine_version() says. */
#define E3D_ENGINE_VERSION 1

E3D_ENGINE_API int32_t e3d_engine_version(void);

/* Why the last failed call of this thread failed; "" before the first. Valid until the next call that fails. */
E3D_ENGINE_API const char *e3d_engine_error(void);

/* Instruction sets that run on this processor, the fastest first: "avx512 avx2 baseline". */
E3D_ENGINE_API const char *e3d_engine_instruction_sets(void);

/* ---- models */

typedef struct e3d_engine_model e3d_engine_model;

enum {
  E3D_ENGINE_OF_FILE = 0,       /* the precision that the file asks for */
  E3D_ENGINE_FLOAT32 = 1,       /* tables of the two-body functions, sums of energies in double precision */
  E3D_ENGINE_FLOAT64 = 2,       /* exact two-body functions */
  E3D_ENGINE_FLOAT64_TABLES = 3 /* tables in double precision: to test tables by themselves */
};

/* Reads a file of the format e3d-weights/1. `instruction_set`: one of those above; NULL: what the environment
   variable E3D_ENGINE_ISA says, or else the fastest. */
E3D_ENGINE_API e3d_engine_model *e3d_engine_open(const char *path, int32_t precision,
                                                 const char *instruction_set);

/* Only after the evaluators of the model, or before: they keep what they need. NULL is allowed. */
E3D_ENGINE_API void e3d_engine_close(e3d_engine_model *model);

typedef struct {
  int32_t types, l_max, layers, channels;
  double r_max;                /* largest cutoff */
  const double *cutoffs;       /* (types, types) row: type of the centre, column: of the neighbour */
  const double *shifts;        /* (types) energy of an atom without neighbours */
  const double *scales;        /* (types) already in the energies of the edges */
  const char *precision;       /* "float32" or "float64": arithmetic in use */
  const char *instruction_set; /* in use */
  int64_t bytes;               /* memory of the model, tables included */
} e3d_engine_info;

/* Pointers stay valid as long as the model. A type that there is not has no name: NULL. */
E3D_ENGINE_API void e3d_engine_describe(const e3d_engine_model *model, e3d_engine_info *info);
E3D_ENGINE_API const char *e3d_engine_type_name(const e3d_engine_model *model, int32_t type);
E3D_ENGINE_API const char *e3d_engine_type_element(const e3d_engine_model *model, int32_t type);

/* The metadata of the file: number of keys; a key, in order; a value, NULL where there is no such key. */
E3D_ENGINE_API int32_t e3d_engine_metadata_count(const e3d_engine_model *model);
E3D_ENGINE_API const char *e3d_engine_metadata_key(const e3d_engine_model *model, int32_t index);
E3D_ENGINE_API const char *e3d_engine_metadata_value(const e3d_engine_model *model, const char *key);

/* Makes what edges between these model types need: tables (2 MB for an ordered pair of types of the shipped
   models, some ms) or matrices. Every type that occurs must have been in one call together with its
   neighbours' types; what is there is kept. Not while the model is being evaluated. 0: done. */
E3D_ENGINE_API int32_t e3d_engine_prepare(e3d_engine_model *model, int32_t count, const int32_t *types);

/* ---- evaluation */

typedef struct e3d_engine_evaluator e3d_engine_evaluator;

/* `threads` >= 1, the caller's own included. */
E3D_ENGINE_API e3d_engine_evaluator *e3d_engine_evaluator_new(const e3d_engine_model *model, int32_t threads);
E3D_ENGINE_API void e3d_engine_evaluator_free(e3d_engine_evaluator *evaluator);

/* Edges sorted by centre: those of centre c are first[c] to first[c+1] - 1. Offsets need not begin at 0: the
   arrays of edges are then used from first[0] on, so that a call may take some centres of a longer list. */
typedef struct {
  int64_t centres;
  const int64_t *first;          /* (centres + 1), ascending */
  const int32_t *centre_type;    /* (centres) model types */
  const int32_t *neighbour_type; /* (edges) */
  const double *vector;          /* (edges, 3) from the centre to the neighbour */
} e3d_engine_edges;

/* An edge at or beyond the cutoff of its types has exactly no energy and no force. Results of a centre depend
   on its own edges and their order alone: they are the same to the last bit for any number of threads and any
   cut into calls. */
typedef struct {
  double *energy;      /* (centres) U = sum of its edges + shift */
  double *edge_energy; /* (edges) eps; may be NULL */
  double *edge_force;  /* (edges, 3) g = dU/dvector, eV/angstrom; NULL: the backward pass is left out */
} e3d_engine_energies;

/* 0: done. Otherwise nothing in the arrays counts. */
E3D_ENGINE_API int32_t e3d_engine_evaluate(e3d_engine_evaluator *evaluator, const e3d_engine_edges *edges,
                                           const e3d_engine_energies *energies);

/* Memory of the scratch of all threads, bytes. */
E3D_ENGINE_API int64_t e3d_engine_evaluator_bytes(const e3d_engine_evaluator *evaluator);

/* Sections of the work: their names ("geometry", ...), NULL behind the last; processor cycles spent in them
   since the last call, all threads together. Cycles are counted from the first call on. */
E3D_ENGINE_API const char *e3d_engine_section(int32_t index);
E3D_ENGINE_API void e3d_engine_take_cycles(e3d_engine_evaluator *evaluator, uint64_t *cycles);

#ifdef __cplusplus
}
#endif

#endif
