#include "remote/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <utility>

#include "remote/replica_set.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

// Connections kept open between calls.
constexpr long kMaxKeptConnections = 256;

// CURL and CURLM are both void.
struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiFree {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyFree>;
using Multi = std::unique_ptr<CURLM, MultiFree>;
using Headers = std::unique_ptr<curl_slist, ListFree>;

// Initialises libcurl once per process. libcurl counts initialisations and needs no clean-up.
bool start_libcurl() {
  static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return started;
}

// One exchange. libcurl holds its address, so it must not move.
struct Transfer {
  Easy easy;
  HttpCall call;
  HttpReply reply;
  std::size_t max_bytes = 0;
  bool too_long = false;
  char reason[CURL_ERROR_SIZE] = {};
};

std::size_t take_body(const char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t n_bytes = size * count;
  transfer.too_long = n_bytes > transfer.max_bytes - transfer.reply.body.size();
  if (transfer.too_long) return 0;  // makes libcurl abort the exchange
  transfer.reply.body.append(data, n_bytes);
  return n_bytes;
}

HttpFailure failure_of(CURLcode code, bool too_long) {
  switch (code) {
    case CURLE_OK:
      return HttpFailure::kNone;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return HttpFailure::kConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure::kTimeout;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return HttpFailure::kBroken;
    case CURLE_WRITE_ERROR:
      return too_long ? HttpFailure::kTooLong : HttpFailure::kBroken;
    default:
      return HttpFailure::kOther;
  }
}

}  // namespace

struct HttpClient::State {
  HttpClientOptions options;
  Headers post_headers;
  Headers get_headers;
  // Declared before the transfers, which are removed from it first.
  Multi multi;
  std::map<Ticket, std::unique_ptr<Transfer>> transfers;
  std::vector<std::unique_ptr<Transfer>> idle;  // for reuse
  Ticket next_ticket = 1;

  Headers headers(bool with_body) const;
  std::unique_ptr<Transfer> take_transfer();
  void set_up(Transfer& transfer) const;
  void put_back(std::map<Ticket, std::unique_ptr<Transfer>>::iterator entry);
  std::vector<Ended> take_ended();
};

Headers HttpClient::State::headers(bool with_body) const {
  curl_slist* list = nullptr;
  const auto add = [&list](const std::string& line) {
    list = curl_slist_append(list, line.c_str());
    RSD_CHECK(list != nullptr, "memory for a header");
  };
  add("Accept: application/json");
  if (with_body) add("Content-Type: application/json");
  if (with_body) add("Expect:");  // send long bodies at once, without "Expect: 100-continue"
  if (!options.api_key.empty()) add("Authorization: Bearer " + options.api_key);
  return Headers(list);
}

std::unique_ptr<Transfer> HttpClient::State::take_transfer() {
  if (!idle.empty()) {
    auto transfer = std::move(idle.back());
    idle.pop_back();
    return transfer;
  }
  auto transfer = std::make_unique<Transfer>();
  transfer->easy.reset(curl_easy_init());
  RSD_CHECK(transfer->easy != nullptr, "memory for an exchange");
  return transfer;
}

void HttpClient::State::set_up(Transfer& transfer) const {
  CURL* const easy = transfer.easy.get();
  curl_easy_reset(easy);
  transfer.reply = {};
  transfer.too_long = false;
  transfer.max_bytes = options.max_answer_bytes;
  transfer.reason[0] = '\0';
  const auto ms = [](std::chrono::milliseconds time) {
    return static_cast<long>(std::max<std::chrono::milliseconds::rep>(1, time.count()));
  };
  curl_easy_setopt(easy, CURLOPT_URL, transfer.call.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  const bool is_direct =
      options.key_transport == KeyTransport::kProtected && is_loopback_url(transfer.call.url);
  if (is_direct) curl_easy_setopt(easy, CURLOPT_PROXY, "");  // ignore the environment's proxies
  // Send our headers to the server only, not to a proxy that tunnels to it.
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms(options.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms(transfer.call.timeout));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, &transfer.reason[0]);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                   transfer.call.body ? post_headers.get() : get_headers.get());
  if (!transfer.call.body) return;
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer.call.body->data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(transfer.call.body->size()));
}

void HttpClient::State::put_back(std::map<Ticket, std::unique_ptr<Transfer>>::iterator entry) {
  curl_multi_remove_handle(multi.get(), entry->second->easy.get());
  idle.push_back(std::move(entry->second));
  transfers.erase(entry);
}

std::vector<HttpClient::Ended> HttpClient::State::take_ended() {
  std::vector<Ended> ended;
  int n_left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &n_left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const auto entry = std::ranges::find_if(transfers, [message](const auto& candidate) {
      return candidate.second->easy.get() == message->easy_handle;
    });
    RSD_CHECK(entry != transfers.end(), "an exchange that nobody started");
    Transfer& transfer = *entry->second;
    HttpReply& reply = transfer.reply;
    reply.failure = failure_of(code, transfer.too_long);
    if (code != CURLE_OK)
      reply.reason = transfer.reason[0] ? &transfer.reason[0] : curl_easy_strerror(code);
    long status = 0;
    curl_off_t seconds = 0;
    curl_off_t until_ready = 0;  // microseconds until the request could be sent
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_RETRY_AFTER, &seconds);
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_PRETRANSFER_TIME_T, &until_ready);
    const bool timed_out = reply.failure == HttpFailure::kTimeout;
    if (timed_out && until_ready == 0) reply.failure = HttpFailure::kConnect;
    reply.status = static_cast<int>(status);
    if (seconds > 0) reply.retry_after = std::chrono::seconds(seconds);
    ended.push_back({.ticket = entry->first, .reply = std::move(reply)});
    put_back(entry);
  }
  return ended;
}

Result<std::unique_ptr<HttpClient>> HttpClient::create(HttpClientOptions options) {
  const auto is_printable = [](unsigned char c) { return c > 0x20 && c < 0x7F; };
  if (!std::ranges::all_of(options.api_key, is_printable)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the engine's API key has white space or other characters that can't be sent");
  }
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  if (start_libcurl()) state->multi.reset(curl_multi_init());
  if (!state->multi) return Error(ErrorCode::kRuntime, "libcurl can't be started");
  curl_multi_setopt(state->multi.get(), CURLMOPT_MAXCONNECTS, kMaxKeptConnections);
  state->post_headers = state->headers(true);
  state->get_headers = state->headers(false);
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(state)));
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpClient::~HttpClient() {
  while (!state_->transfers.empty())
    state_->put_back(state_->transfers.begin());
  state_->idle.clear();
}

HttpClient::Ticket HttpClient::start(HttpCall call) {
  auto transfer = state_->take_transfer();
  transfer->call = std::move(call);
  state_->set_up(*transfer);
  const auto added = curl_multi_add_handle(state_->multi.get(), transfer->easy.get());
  RSD_CHECK(added == CURLM_OK, "libcurl takes an exchange");
  const Ticket ticket = state_->next_ticket++;
  state_->transfers.emplace(ticket, std::move(transfer));
  return ticket;
}

void HttpClient::cancel(Ticket ticket) {
  const auto entry = state_->transfers.find(ticket);
  if (entry != state_->transfers.end()) state_->put_back(entry);
}

std::size_t HttpClient::n_under_way() const noexcept {
  return state_->transfers.size();
}

std::vector<HttpClient::Ended> HttpClient::wait(Clock::time_point until) {
  constexpr std::chrono::milliseconds kLongest{10'000};
  while (true) {
    int n_running = 0;
    curl_multi_perform(state_->multi.get(), &n_running);
    auto ended = state_->take_ended();
    const auto now = Clock::now();
    if (!ended.empty() || now >= until) return ended;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    const auto ms = static_cast<int>(std::min(left, kLongest).count());
    // Waits even without exchanges: the caller's timeout may be for something else.
    curl_multi_poll(state_->multi.get(), nullptr, 0, ms, nullptr);
  }
}

}  // namespace rsd
