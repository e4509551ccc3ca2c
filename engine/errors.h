// The exception of the engine: its text is for the person who typed the file name.
#ifndef E3D_ENGINE_ERRORS_H
#define E3D_ENGINE_ERRORS_H

#include <stdexcept>

namespace e3d::engine {

// A file or an argument that is not as described. Nothing else is thrown on purpose; the C interface is where
// it ends.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}    // namespace e3d::engine

#endif
