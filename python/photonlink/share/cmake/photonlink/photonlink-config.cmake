# find_package(photonlink CONFIG): the portable headers as target photonlink::headers (C++17, header-only).
# Give CMake the parent of photonlink.get_include() as a prefix; scikit-build-core finds it by itself.
if(NOT TARGET photonlink::headers)
  get_filename_component(photonlink_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  add_library(photonlink::headers INTERFACE IMPORTED)
  set_target_properties(photonlink::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${photonlink_prefix}/include"
                                                       INTERFACE_COMPILE_FEATURES cxx_std_17)
endif()
