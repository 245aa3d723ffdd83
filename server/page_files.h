// What the binary carries: the files of server/page/, and the description of the API.
#pragma once

#include <span>
#include <string_view>

namespace rsd::server {

struct PageFile {
  std::string_view path;  // "/" for index.html, "/" and its name for every other
  std::string_view content_type;
  std::string_view content;
};

// Made by CMake (embed.cmake).
std::span<const PageFile> page_files();
// OpenAPI 3.1, JSON.
std::string_view openapi_json();

}  // namespace rsd::server
