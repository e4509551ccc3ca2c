/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_MODEL_METADATA_H
#define E3D_MODEL_METADATA_H

#include "model/edge_model.h"

#include <array>
#include <string>
#include <unordered_map>

namespace E3D {

/* The metadata that every model file has: ModelMetadata in python/e3d_lmp/model/contract.py. */

inline constexpr std::array<const char *, 16> METADATA_KEYS = {
    "contract",       "type_names",
    "type_elements",  "r_max",
    "cutoffs",        "shifts",
    "scales",         "decomposition",
    "model_dtype",    "device",
    "engine",         "torch_version",
    "nequip_version", "nequip_allegro_version",
    "source_sha256",  "training_data",
};

using Strings = std::unordered_map<std::string, std::string>;

/* Metadata from the strings of a file; throws std::runtime_error that says what is wrong with them and what
   to type. */

ModelMetadata parse_metadata(const Strings &strings);

/* The instructions of an AOTInductor package for a CPU must be among those of this processor, which would end the
   run with SIGILL where they are not: what the package says of the machine that compiled it. Throws
   std::runtime_error. */

void require_processor(const Strings &strings);

}    // namespace E3D

#endif
