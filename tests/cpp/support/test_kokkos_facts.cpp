// What a library of /kk styles was built for against what a LAMMPS says of itself.

#include "check.h"

#include "support/kokkos_facts.h"

using namespace E3D;

int main()
{
  // as LAMMPS 4 Jul 2026 prints it
  const std::string info = "KOKKOS package API: OpenMP Serial\nKOKKOS package precision: double\n"
                           "KOKKOS package view layout: legacy\nKokkos library version: 5.2.2\n";
  const KokkosFacts runs = kokkos_facts("4 Jul 2026", info);
  CHECK(runs.version == "4 Jul 2026" && runs.precision == "double");
  CHECK(runs.layout == "legacy" && runs.kokkos == "5.2.2");
  CHECK(differences(runs, runs).empty());

  KokkosFacts built = runs;
  built.precision = "mixed";
  CHECK(differences(built, runs) == "precision mixed where this LAMMPS has double");
  built.kokkos = "4.6.0";
  built.version = "10 Sep 2025";
  CHECK(differences(built, runs) ==
        "version 10 Sep 2025 where this LAMMPS has 4 Jul 2026, precision mixed where this LAMMPS "
        "has double, Kokkos 4.6.0 where this LAMMPS has 5.2.2");

  // a LAMMPS that says less is not taken for the same
  const KokkosFacts silent =
      kokkos_facts("4 Jul 2026", "KOKKOS package precision: double\nKOKKOS package view layout:");
  CHECK(silent.precision == "double" && silent.layout.empty() && silent.kokkos.empty());
  CHECK(!differences(runs, silent).empty());
  return check::failures() == 0 ? 0 : 1;
}
