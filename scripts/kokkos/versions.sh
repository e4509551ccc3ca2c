# What scripts/kokkos/build.sh builds: versions, hashes, packages and flags in one place. Sourced, never run; a change
# here makes a new folder of the cache.

# Debian's source package "lammps": its upstream version and the sha256 of its .orig.tar.gz. LAMMPS calls it 4 Jul 2026.
LAMMPS_VERSION=20260704+dfsg
LAMMPS_SHA256=cddbc45a047416bd48a4a0b87f24a5b61b3446982b74d18cafe619c22b17eb62
# Debian's libkokkos-dev, upstream version. LAMMPS says which versions of Kokkos it takes.
KOKKOS_VERSION=5.2.2

# The suite that holds both, and what its root folder holds beside the base system.
SUITE=sid
ROOT_PACKAGES=(g++ cmake ninja-build python3 libkokkos-dev libopenmpi-dev openmpi-bin)

# Folders of LAMMPS's source that are unpacked (examples, documentation and unit tests are not).
LAMMPS_FOLDERS=(src cmake lib python third_party LICENSE README)
# -O1: the tests compare numbers, and -O2 takes half as long again to compile.
LAMMPS_FLAGS=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DCMAKE_CXX_STANDARD=20 -DBUILD_SHARED_LIBS=on
  -DBUILD_MPI=on -DBUILD_OMP=on -DPKG_KOKKOS=on -DEXTERNAL_KOKKOS=on -DPKG_PLUGIN=on -DPKG_MANYBODY=on
  -DWITH_GZIP=off -DWITH_JPEG=off -DWITH_PNG=off -DWITH_FFMPEG=off -DWITH_CURL=off)
