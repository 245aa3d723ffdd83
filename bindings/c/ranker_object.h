// Rankers and jobs as programs in C see them: handles.
#pragma once

#include <memory>
#include <utility>

#include "bindings/c/given_engine.h"
#include "bindings/c/ranking_thread.h"
#include "bindings/c/rsd.h"

struct rsd_ranker {
  rsd_ranker(rsd::Ranker loaded, const rsd::QueueOptions& options,
             std::shared_ptr<rsd::bindings::LogTarget> log_target)
      : log(std::move(log_target)), thread(std::move(loaded), options) {}

  std::shared_ptr<rsd::bindings::LogTarget> log;  // null: none
  rsd::bindings::RankingThread thread;
};

struct rsd_job {
  std::shared_ptr<rsd::bindings::Job> job;
};
