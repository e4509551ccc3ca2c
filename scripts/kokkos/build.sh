#!/usr/bin/env bash
# Builds a LAMMPS with KOKKOS (Serial and OpenMP) to test the /kk styles with, and keeps it in a cache outside the clone:
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
[[ $when_moved == newest || $when_moved == stop ]] ||
  fail "WHEN_MOVED=$when_moved: expected newest (take what there is) or stop"

report() {
  say "ready: $lammps_folder ($(tr '\n' ' ' <"$lammps_folder/versions"))"
  local moved
  moved=$(cat "$root_folder/moved" "$lammps_folder/moved" 2>/dev/null) || true
  [[ -z $moved ]] || say "not what versions.sh pins: $moved"
}
if [[ -f $lammps_folder/versions && -f $root_folder/versions ]]; then
  report
  exit
fi

for tool in unshare chroot apt-get sha256sum tar flock; do
  command -v "$tool" >/dev/null || fail "no '$tool' here: this script needs Debian, or a relative of it"
done
mkdir -p "$cache/downloads"
exec 9>"$cache/lock"
flock -n 9 || {
  say "waiting for another build in $cache"
  flock 9
}

# ---- progress: the last line of a log every 20 s, and all that matters of it where a step fails
watched() { # watched WHAT LOG COMMAND...
  local what=$1 log=$2 started=$SECONDS shown=$SECONDS status=0
  shift 2
  say "$what (log: $log)"
  "$@" >"$log" 2>&1 9>&- &
  local worker=$!
  trap 'kill "$worker" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$worker" 2>/dev/null; do
    sleep 1
    ((SECONDS - shown < 20)) && continue
    shown=$SECONDS
    say "  $((SECONDS - started)) s: $(tail -n 1 "$log" | cut -c1-100)"
  done
  wait "$worker" || status=$?
  trap - INT TERM
  ((status == 0)) && say "  done in $((SECONDS - started)) s" && return
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

# ---- the mirror that apt uses; its host is named nowhere in this repository
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=${DEBIAN_MIRROR:-}
if [[ -z $mirror ]]; then
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$codename" '$1 == suite {print $2; exit}')
fi
[[ -n $mirror ]] || fail "apt names no mirror for this system. Type: DEBIAN_MIRROR=URL bash $0"
[[ -f $keyring ]] || fail "no $keyring. Type: apt-get install debian-archive-keyring"

# ---- 1. the root folder
if [[ ! -f $root_folder/versions ]]; then
  command -v debootstrap >/dev/null || fail "no debootstrap here. Type: apt-get install debootstrap"
  ((EUID == 0)) || fail "debootstrap needs root. Type: sudo E3D_KOKKOS_CACHE='$cache' bash $0"
  partial=$root_folder.partial
  rm -rf "$partial"
  make_root() {
    local packages
    packages=$(IFS=,; echo "${ROOT_PACKAGES[*]}")
    debootstrap --variant=minbase --keyring="$keyring" --include="$packages" "$SUITE" "$partial" "$mirror"
  }
  watched "making a root folder of Debian $SUITE" "$cache/root.log" make_root || {
    [[ ! -f $partial/debootstrap/debootstrap.log ]] || tail -n 5 "$partial/debootstrap/debootstrap.log" >&2
    fail "debootstrap failed (see above). Is the network up? Then type: bash $0"
  }
  # LAMMPS's CMake files name two libraries of Kokkos that hold headers only, and Debian ships none.
  libraries=$(chroot "$partial" dirname "$(chroot "$partial" dpkg -L libkokkos-dev | grep 'libkokkoscore\.so$')")
  for name in algorithms simd; do
    [[ -e $partial$libraries/libkokkos$name.so ]] || chroot "$partial" ar rcs "$libraries/libkokkos$name.a"
  done
  rm -rf "$partial"/var/cache/apt/archives/*.deb "$partial"/var/lib/apt/lists/* "$partial"/usr/share/{doc,man,info,locale}
  kokkos=$(chroot "$partial" dpkg-query -W -f '${source:Upstream-Version}' libkokkos-dev)
  [[ $kokkos == "$KOKKOS_VERSION" ]] || moved Kokkos "$KOKKOS_VERSION" "$kokkos" "$partial/moved"
  chroot "$partial" dpkg-query -W -f '${Package} ${Version}\n' "${ROOT_PACKAGES[@]}" >"$partial/versions"
  mv -T "$partial" "$root_folder"
fi

# ---- 2. the source
partial=$lammps_folder.partial
mkdir -p "$partial"
if [[ ! -f $partial/source ]]; then
  rm -rf "$partial/lammps" "$partial/moved"
  tarball=$cache/downloads/lammps_$LAMMPS_VERSION.orig.tar.gz
  if [[ ! -f $tarball ]]; then
    apt=$cache/apt
    mkdir -p "$apt"/{lists,archives}/partial
    echo "deb-src [signed-by=$keyring] $mirror $SUITE main" >"$apt/sources.list"
    options=(-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
      -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt" -o APT::Sandbox::User=root)
    watched "asking $SUITE for the source of LAMMPS" "$cache/apt.log" apt-get "${options[@]}" update ||
      fail "apt-get update failed (see above). Is the network up? Then type: bash $0"
    found=$(apt-cache "${options[@]}" showsrc lammps 2>/dev/null | sed -n 's/^Version: \(.*\)-.*/\1/p' | sort -V | tail -n 1)
    [[ -n $found ]] || fail "$SUITE has no source package lammps (mirror: the one of /etc/apt). Type: DEBIAN_MIRROR=URL bash $0"
    if [[ $found != "$LAMMPS_VERSION" ]]; then
      moved LAMMPS "$LAMMPS_VERSION" "$found" "$partial/moved"
      tarball=$cache/downloads/lammps_$found.orig.tar.gz
    fi
    if [[ ! -f $tarball ]]; then
      # Only the tarball: a mirror may lack the rest, and nothing else is used.
      (cd "$cache/downloads" && watched "fetching the source of LAMMPS $found" "$cache/source.log" \
        apt-get "${options[@]}" source --download-only --tar-only lammps) ||
        fail "the source of LAMMPS did not arrive (see above). Is the network up? Then type: bash $0"
      rm -rf "$apt"
    fi
  fi
  if [[ $tarball == *"_$LAMMPS_VERSION.orig.tar.gz" ]] && ! sha256sum --quiet -c - <<<"$LAMMPS_SHA256  $tarball"; then
    rm -f "$tarball"
    fail "the source of LAMMPS $LAMMPS_VERSION has another sha256 than versions.sh says, and was removed. Type: bash $0"
  fi
  say "unpacking $(basename "$tarball")"
  mkdir "$partial/lammps"
  # Debian's tarball unpacks flat, or into one folder.
  strip=0
  [[ $(tar tzf "$tarball" 2>/dev/null | head -n 1) == lammps* ]] && strip=1
  tar xzf "$tarball" -C "$partial/lammps" --strip-components=$strip --wildcards --no-wildcards-match-slash \
    "${LAMMPS_FOLDERS[@]/#/$([[ $strip == 1 ]] && echo '*/' || true)}"
  sed -n 's/.*LAMMPS_VERSION "\(.*\)".*/LAMMPS \1/p' "$partial/lammps/src/version.h" >"$partial/source"
  [[ -s $partial/source ]] || fail "$(basename "$tarball") holds no src/version.h: it is no source of LAMMPS"
fi

# ---- 3. LAMMPS
configure() {
  enter "$root_folder" "$partial" cmake -G Ninja -S /e3d/lammps/cmake -B /e3d/build "${LAMMPS_FLAGS[@]}"
}
compile() { enter "$root_folder" "$partial" cmake --build /e3d/build -j "$jobs"; }
mkdir -p "$partial/build"
watched "configuring $(<"$partial/source")" "$cache/configure.log" configure ||
  fail "CMake failed (see above, and $cache/configure.log)"
watched "compiling $(<"$partial/source"), $jobs at a time" "$cache/compile.log" compile ||
  fail "LAMMPS did not compile (see above). To go on where it stopped type: bash $0"
enter "$root_folder" "$partial" lmp -h >"$cache/help.log" 2>&1 && grep -q 'KOKKOS package API' "$cache/help.log" ||
  fail "the new lmp does not start, or has no KOKKOS (see $cache/help.log)"
find "$partial/build" -name '*.o' -delete
{
  cat "$partial/source"
  grep -E '^(libkokkos-dev|g\+\+|libopenmpi-dev) ' "$root_folder/versions"
} >"$partial/versions"
mv -T "$partial" "$lammps_folder"
report
for old in "$cache"/root-* "$cache"/lammps-*; do
  [[ $old == "$root_folder" || $old == "$lammps_folder" ]] || say "no longer used by this clone: rm -rf $old"
done
