// What lies in the spool (wal/spool.h) and for how long: what a recovery will soon ask for, and
// what a client was just told of. The rest is removed. Loop thread; files are removed on the
// worker.
#pragma once

#include "base/clock.h"
#include "base/worker.h"
#include "restorer/prefetch.h"
#include "wal/spool.h"

#include <map>
#include <string>

namespace pgwalship {

class SpoolKeeper {
 public:
  enum class For {
    kClient,    // one waits for it
    kRecovery,  // one will probably ask for it
  };

  // All borrowed; without a spool (null) nothing is unpacked.
  SpoolKeeper(Worker& remover, Spool* spool, const Prefetch& prefetch)
      : remover_(remover), spool_(spool), prefetch_(prefetch) {}
  SpoolKeeper(const SpoolKeeper&) = delete;
  SpoolKeeper& operator=(const SpoolKeeper&) = delete;

  // Where that file is to be unpacked; null: it is not.
  Spool* spool_for(const WalName& name, For whom, TimePoint now) const;
  // It was unpacked there; nothing when the path is empty.
  void add(const WalName& name, For whom, const std::string& path, TimePoint now);
  void clean(TimePoint now);
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  struct Kept {  // as far as is known: a client may have taken it
    WalName name;
    For whom;
    TimePoint since;
  };

  bool keeps(const Kept& kept, TimePoint now) const;

  Worker& remover_;
  Spool* const spool_;
  const Prefetch& prefetch_;
  std::map<std::string, Kept> kept_;  // by path
  TimePoint clean_at_ = kNever;
};

}  // namespace pgwalship
