// The routes of the API and of the page.
#pragma once

#include "server/http/http_server.h"
#include "server/service.h"

namespace rsd::server {

// Serves `service`, which outlives it and counts its calls.
HttpApplication application_of(Service& service);

}  // namespace rsd::server
