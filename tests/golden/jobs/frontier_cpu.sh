#!/bin/bash -l
#SBATCH --job-name=liquid
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=8
#SBATCH --time=02:00:00
#SBATCH --account=project
#SBATCH --partition=batch
#SBATCH --output=/scratch/me/liquid/job.%j.txt
# Frontier, Oak Ridge Leadership Computing Facility. Written by 'e3d job' of e3d-lmp VERSION: docs/production.md. Each job of a chain is this same script.

cd /scratch/me/liquid || exit 1
export MPICH_GPU_SUPPORT_ENABLED=1
export OMP_NUM_THREADS=7
lmp=/home/me/lammps/build/lmp
limit=7200      # s that the job has
seconds=7056    # s of them for LAMMPS; the rest is for starting and ending
launch() {    # in a process of its own
  exec srun -N 8 -n 64 --ntasks-per-node=8 -c 7 --cpu-bind=threads --threads-per-core=1 \
    "$lmp" -v temp 350 -v steps 2000000 "$@"
}

say() { echo "e3d job: $*"; }
magic='LammpS RestartT'    # LAMMPS writes this at the start of a restart file and, last of all, at its end
is_whole() {
  [[ -f $1 && $(head -c 15 "$1" | tr -d '\0') == "$magic" && $(tail -c 16 "$1" | tr -d '\0') == "$magic" ]]
}
# The newest whole restart file that is newer than the one this part went on from. A last one (restart.end) counts only
# when the run had got to where restart files are written.
newest() {
  local file found=
  for file in restart.a restart.b restart.end; do
    is_whole $file && [[ ! -f restart.start || $file -nt restart.start ]] || continue
    [[ $file == restart.end && ! -f restart.start && ! -f restart.a ]] && continue
    [[ -n $found && $found -nt $file ]] || found=$file
  done
  echo $found
}

# One job at a time: the lock goes with the last process that holds it, by whatever that ends.
exec 9>>.lock
flock -n -E 75 9
case $? in
  0) ;;
  75) say "another job is at work in $PWD"; exit 75 ;;
  *) say "warning: no file locks on this file system: let no second job run here" ;;
esac
for mark in cancelled failed finished; do
  if [[ -f $mark ]]; then
    say "$mark: $(<$mark)"
    [[ $mark == finished ]]
    exit
  fi
done

part=1
[[ -f part ]] && part=$(<part)
from=$(newest)
if [[ -n $from ]]; then
  part=$((part + 1))
  echo $part >part.new && mv -f part.new part && mv -f $from restart.start || {
    say "cannot write in $PWD: is the disk full?"
    exit 1
  }
fi
rm -f restart.a restart.b restart.end stopped stop
if [[ -f restart.start ]]; then
  is_whole restart.start || { echo "restart.start is damaged" >failed; say "failed: $(<failed)"; exit 1; }
  variables=(-v part $part -v restart restart.start -v checkpoint restart)
else
  part=1
  variables=(-v part 1 -v restart none -v checkpoint restart)
fi
job=1
while [[ -e job.$job.log || -e job.$job.out ]]; do job=$((job + 1)); done
say "job $job, part $part${SLURM_JOB_ID:+, Slurm job $SLURM_JOB_ID}${PBS_JOBID:+, PBS job $PBS_JOBID}"

# In an allocation that others had before (e3d campaign) there is less time.
end=${E3D_END:-$(($(date +%s) - SECONDS + limit))}
left=$((end - $(date +%s) - (limit - seconds)))
if ((left < 1)); then
  say "no time is left in this allocation"
  exit 75
fi
started=$SECONDS
launch -in job.in -log job.$job.log "${variables[@]}" -v e3d_seconds $((left < seconds ? left : seconds)) >job.$job.out 2>&1 &
run=$!
trap 'kill $run 2>/dev/null; wait $run; exit 143' TERM INT
while kill -0 $run 2>/dev/null; do
  [[ -f cancelled || -f stop ]] && kill $run
  sleep 5 9>&- &
  wait -n $run $! 2>/dev/null
done
wait $run
code=$?
next=$(newest)
after="the next job goes on from ${next:-restart.start}"
[[ -n $next || -f restart.start ]] || after="the next job begins anew"

if [[ -f cancelled ]]; then
  say "cancelled: $(<cancelled)"
  exit 1
elif [[ -f finished ]]; then
  say "finished: $(<finished)"
elif [[ -f stop ]]; then
  say "stopped on request; $after"
elif ((code == 0)); then
  say "the time limit was reached: $([[ -f stopped ]] && cat stopped)"
  if [[ -z $next && (-z ${E3D_END:-} || $left -ge $seconds) ]]; then
    echo "job $job wrote no restart file within its $limit s: let the input write them more often, or ask for more time" >failed
    say "failed: $(<failed)"
    exit 1
  fi
  say "$after"
elif grep -q '^ERROR' job.$job.log 2>/dev/null || grep -q '^ERROR' job.$job.out; then
  echo "job $job: $(cat job.$job.log job.$job.out 2>/dev/null | grep -m 1 '^ERROR')" >failed
  say "failed: $(<failed)"
  exit 1
else
  say "lmp was ended with code $code after $((SECONDS - started)) s, without an error of its own: $(tail -n 1 job.$job.out)"
  say "$after"
  exit $code
fi
