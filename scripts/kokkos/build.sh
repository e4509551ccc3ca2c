#!/usr/bin/env bash
# Builds a LAMMPS with KOKKOS (OpenMP) to test the /kk styles with, and keeps it in a cache outside the clone:
#   bash scripts/kokkos/build.sh            10 minutes on two cores the first time, then nothing
#   bash scripts/kokkos/in_root.sh lmp -h   runs it
#   1. a root folder of Debian's suite with compiler, CMake, Kokkos and Open MPI (debootstrap)
#   2. the source of LAMMPS from Debian's source package
#   3. LAMMPS
# Needs Debian or a relative of it, root for step 1, and debootstrap. versions.sh pins what is taken. The suite moves on:
# where a pinned version has gone, the newest is taken and said; WHEN_MOVED=stop makes that an error.
# JOBS=2 files are compiled at a time; E3D_KOKKOS_CACHE=FOLDER is the cache (default ~/.cache/e3d-lmp/kokkos);
# DEBIAN_MIRROR=URL is the mirror where apt names none.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
jobs=${JOBS:-$(nproc)}
when_moved=${WHEN_MOVED:-newest}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
partial=$lammps_folder.partial

is_ready() { [[ -f $lammps_folder/versions && -f $root_folder/versions ]]; }
report() {
  say "ready: $lammps_folder ($(tr '\n' ' ' <"$lammps_folder/versions"))"
  local moved
  moved=$(cat "$root_folder/moved" "$lammps_folder/moved" 2>/dev/null) || true
  [[ -z $moved ]] || say "not what scripts/kokkos/versions.sh pins: $moved"
}

check_tools() {
  [[ $when_moved == newest || $when_moved == stop ]] ||
    fail "WHEN_MOVED=$when_moved: expected newest (take what there is) or stop"
  local tool
  for tool in unshare chroot apt-get sha256sum tar flock; do
    command -v "$tool" >/dev/null || fail "no '$tool' here: this script needs Debian, or a relative of it"
  done
}

# watched WHAT LOG COMMAND...: the last line of the log every 20 s, and what matters of it where the command fails
watched() {
  local what=$1 log=$2 started=$SECONDS shown=$SECONDS status=0 worker
  shift 2
  say "$what (log: $log)"
  "$@" >"$log" 2>&1 9>&- &
  worker=$!
  # shellcheck disable=SC2064
  trap "kill $worker 2>/dev/null; exit 130" INT TERM
  while kill -0 "$worker" 2>/dev/null; do
    sleep 1
    ((SECONDS - shown < 20)) && continue
    shown=$SECONDS
    say "  $((SECONDS - started)) s: $(tail -n 1 "$log" | cut -c1-100)"
  done
  wait "$worker" || status=$?
  trap - INT TERM
  if ((status == 0)); then
    say "  done in $((SECONDS - started)) s"
    return
  fi
  grep -E 'error:|Error|^E:|^W:|FAILED' "$log" | tail -n 20 >&2 || true
  tail -n 5 "$log" >&2
  return "$status"
}

# moved WHAT PINNED FOUND FILE: what is taken where the suite no longer has what is pinned
moved() {
  [[ $when_moved == newest ]] ||
    fail "$SUITE has $1 $3, and $2 is pinned. Type: WHEN_MOVED=newest bash $0, or pin $3 in scripts/kokkos/versions.sh"
  say "$SUITE has $1 $3, and $2 is pinned: taking $3"
  printf '%s %s in place of %s; ' "$1" "$3" "$2" >>"$4"
}

# The mirror that apt uses; its host is named nowhere in this repository.
find_mirror() {
  mirror=${DEBIAN_MIRROR:-}
  if [[ -z $mirror ]]; then
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
      awk -v suite="$codename" '$1 == suite && !found {print $2; found = 1}')
  fi
  [[ -n $mirror ]] || fail "apt names no mirror for this system. Type: DEBIAN_MIRROR=URL bash $0"
  [[ -f $keyring ]] || fail "no $keyring. Type: apt-get install debian-archive-keyring"
}

make_root() {
  [[ ! -f $root_folder/versions ]] || return 0
  command -v debootstrap >/dev/null || fail "no debootstrap here. Type: apt-get install debootstrap"
  ((EUID == 0)) || fail "debootstrap needs root. Type: sudo E3D_KOKKOS_CACHE='$cache' bash $0"
  local root=$root_folder.partial packages libraries name kokkos
  packages=$(IFS=,; echo "${ROOT_PACKAGES[*]}")
  rm -rf "$root"
  watched "making a root folder of Debian $SUITE" "$cache/root.log" \
    debootstrap --variant=minbase --keyring="$keyring" --include="$packages" "$SUITE" "$root" "$mirror" || {
    [[ ! -f $root/debootstrap/debootstrap.log ]] || tail -n 5 "$root/debootstrap/debootstrap.log" >&2
    fail "debootstrap failed (see above). Is the network up? Then type: bash $0"
  }
  # LAMMPS's CMake files name two libraries of Kokkos that hold headers only, and Debian ships none.
  libraries=$(dirname "$(chroot "$root" dpkg -L libkokkos-dev | grep 'libkokkoscore\.so$')")
  for name in algorithms simd; do
    [[ -e $root$libraries/libkokkos$name.so ]] || chroot "$root" ar rcs "$libraries/libkokkos$name.a"
  done
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,info,locale}
  kokkos=$(chroot "$root" dpkg-query -W -f '${source:Upstream-Version}' libkokkos-dev)
  [[ $kokkos == "$KOKKOS_VERSION" ]] || moved Kokkos "$KOKKOS_VERSION" "$kokkos" "$root/moved"
  chroot "$root" dpkg-query -W -f '${Package} ${Version}\n' "${ROOT_PACKAGES[@]}" >"$root/versions"
  mv -T "$root" "$root_folder"
}

# Leaves the path of the tarball in `tarball`.
fetch_source() {
  tarball=$cache/downloads/lammps_$LAMMPS_VERSION.orig.tar.gz
  if [[ ! -f $tarball ]]; then
    local apt=$cache/apt options found
    mkdir -p "$apt"/{lists,archives}/partial
    echo "deb-src [signed-by=$keyring] $mirror $SUITE main" >"$apt/sources.list"
    options=(-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
      -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt" -o APT::Sandbox::User=root)
    watched "asking $SUITE for the source of LAMMPS" "$cache/apt.log" apt-get "${options[@]}" update ||
      fail "apt-get update failed (see above). Is the network up? Then type: bash $0"
    found=$(apt-cache "${options[@]}" showsrc lammps 2>/dev/null | sed -n 's/^Version: \(.*\)-.*/\1/p' | sort -V | tail -n 1)
    [[ -n $found ]] || fail "$SUITE has no source package lammps on the mirror of apt. Type: DEBIAN_MIRROR=URL bash $0"
    [[ $found == "$LAMMPS_VERSION" ]] || moved LAMMPS "$LAMMPS_VERSION" "$found" "$partial/moved"
    tarball=$cache/downloads/lammps_$found.orig.tar.gz
    # Only the tarball: a mirror may lack the rest, and nothing else is used.
    if [[ ! -f $tarball ]]; then
      (cd "$cache/downloads" && watched "fetching the source of LAMMPS $found" "$cache/source.log" \
        apt-get "${options[@]}" source --download-only --tar-only lammps) ||
        fail "the source of LAMMPS did not arrive (see above). Is the network up? Then type: bash $0"
    fi
    rm -rf "$apt"
  fi
  if [[ $tarball == *"_$LAMMPS_VERSION.orig.tar.gz" ]] && ! sha256sum --quiet -c - <<<"$LAMMPS_SHA256  $tarball"; then
    rm -f "$tarball"
    fail "the source of LAMMPS $LAMMPS_VERSION has another sha256 than versions.sh says, and was removed. Type: bash $0"
  fi
}

unpack_source() {
  [[ ! -f $partial/source ]] || return 0
  rm -rf "$partial"
  mkdir -p "$partial/lammps"
  fetch_source
  say "unpacking $(basename "$tarball")"
  # Debian's tarball unpacks flat, or into one folder.
  local first folders=("${LAMMPS_FOLDERS[@]}") strip=0
  first=$(tar tzf "$tarball" 2>/dev/null | sed -n 1p)
  if [[ $first == lammps* ]]; then
    strip=1
    folders=("${folders[@]/#/*/}")
  fi
  tar xzf "$tarball" -C "$partial/lammps" --strip-components=$strip --wildcards --no-wildcards-match-slash "${folders[@]}"
  sed -n 's/.*LAMMPS_VERSION "\(.*\)".*/LAMMPS \1/p' "$partial/lammps/src/version.h" >"$partial/source.now"
  [[ -s $partial/source.now ]] || fail "$(basename "$tarball") holds no src/version.h: it is no source of LAMMPS"
  mv "$partial/source.now" "$partial/source"
}

build_lammps() {
  mkdir -p "$partial/build"
  entry "$root_folder" "$partial"
  watched "configuring $(<"$partial/source")" "$cache/configure.log" \
    "${enter[@]}" cmake -G Ninja -S /e3d/lammps/cmake -B /e3d/build "${LAMMPS_FLAGS[@]}" ||
    fail "CMake failed (see above, and $cache/configure.log)"
  watched "compiling $(<"$partial/source"), $jobs at a time" "$cache/compile.log" \
    "${enter[@]}" cmake --build /e3d/build -j "$jobs" ||
    fail "LAMMPS did not compile (see above). To go on where it stopped type: bash $0"
  if ! "${enter[@]}" lmp -h >"$cache/help.log" 2>&1 || ! grep -q 'KOKKOS package API' "$cache/help.log"; then
    fail "the new lmp does not start, or has no KOKKOS (see $cache/help.log)"
  fi
  find "$partial/build" -name '*.o' -delete
  {
    cat "$partial/source"
    grep -E '^(libkokkos-dev|g\+\+|libopenmpi-dev) ' "$root_folder/versions"
  } >"$partial/versions"
  rm -rf "$lammps_folder"
  mv -T "$partial" "$lammps_folder"
}

main() {
  if ! is_ready; then
    check_tools
    mkdir -p "$cache/downloads"
    exec 9>"$cache/lock"
    if ! flock -n 9; then
      say "waiting for another build in $cache"
      flock 9
    fi
  fi
  if ! is_ready; then
    find_mirror
    make_root
    unpack_source
    build_lammps
    local old
    for old in "$cache"/root-* "$cache"/lammps-*; do
      [[ $old == "$root_folder" || $old == "$lammps_folder" ]] || say "not used by this clone: rm -rf $old"
    done
  fi
  report
}

# The whole file is read before it runs: a change of branch while it builds does no harm.
main
exit
