#include "cmd/daemon.h"

#include "archiver/archive_gauge.h"
#include "archiver/conflict_watch.h"
#include "archiver/expire_service.h"
#include "archiver/peer_clocks.h"
#include "archiver/pg_wal_gauge.h"
#include "archiver/pg_wal_watch.h"
#include "archiver/postgres_watch.h"
#include "archiver/probe_service.h"
#include "archiver/push_service.h"
#include "archiver/reconcile_service.h"
#include "archiver/status_report.h"
#include "base/event_loop.h"
#include "base/posix_file_system.h"
#include "base/trouble.h"
#include "base/worker.h"
#include "cmd/archive_watch.h"
#include "cmd/client_door.h"
#include "cmd/client_session.h"
#include "cmd/daemon_care.h"
#include "cmd/daemon_options.h"
#include "cmd/daemon_service.h"
#include "cmd/daemon_signals.h"
#include "cmd/daemon_workers.h"
#include "cmd/metrics_server.h"
#include "cmd/reload.h"
#include "cmd/retention_config.h"
#include "restorer/fetch_service.h"
#include "restorer/scrub_service.h"
#include "transport/link_set.h"
#include "transport/local_socket.h"
#include "transport/ssh_link.h"
#include "wal/archive_lock.h"
#include "wal/archive_store.h"
#include "wal/data_directory.h"
#include "wal/live_index.h"

#include <csignal>
#include <sys/signalfd.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {

namespace {

constexpr std::size_t kClientsMax = 256;
// How often a new archive is asked whose it has become.
constexpr std::chrono::seconds kIdentityInterval{1};
// Longer than a push that is nearly done, shorter than any service manager waits.
constexpr std::chrono::seconds kDrainTime{10};

}  // namespace

struct Daemon::Parts {
  Parts(const Config& c, const Clock& k, Log& l, Fd signal_fd,
        std::unique_ptr<EventLoop> event_loop, std::unique_ptr<LocalListener> local_listener)
      : config(c),
        log(l),
        clock(k),
        nodes(nodes_of(c)),
        signals(std::move(signal_fd)),
        loop(std::move(event_loop)),
        started_at(loop->now()),
        listener(std::move(local_listener)),
        door(*loop, *listener, l, [this](Fd socket) { take_client(std::move(socket)); }),
        store(file_system, {c.archive.directory, c.archive.minimum_free_bytes, seed_from_system()}),
        spool(file_system, spool_options(c, file_system, seed_from_system())),
        links(*loop),
        index(file_system, k,
              {.directory = c.archive.directory,
               .seed = seed_from_system(),
               .note_vanished =
                   [this](std::vector<WalName> names) {
                     return store.note_vanished(std::move(names));
                   }},
              [this](Worker::Job job) { return workers.looks().post(std::move(job)); }),
        pushes(push_options(c, nodes, [this](const WalName& name) { fetches.heal(name); }),
               {*loop, workers.disk(), workers.scans(), workers.quiet(), links, file_system, store,
                index, l}),
        fetches(fetch_options(c, nodes, [this] { pushes.archive_grew(); }),
                {*loop, workers.disk(), workers.scans(), workers.ahead(), workers.quiet(), links,
                 store, index, l, &spool}),
        scrub(c.archive.scrub, {*loop, k, workers.quiet(), file_system, store, fetches, l,
                                [this] { return is_busy(); }}),
        conflicts({*loop, workers.quiet(), store, l}),
        expiry(expire_options(c, nodes),
               {*loop, k, workers.disk(), workers.scans(), links, store, l}),
        probes({nodes, c.quorum, c.cluster.push_timeout, seed_from_system()},
               {*loop, workers.disk(), links, store, pushes.shipper()}),
        reconciling(nodes, {pushes.shipper(), [this](NodeId peer) { pushes.compare_now(peer); }}),
        clocks(nodes, k, links),
        gauge(c.archive.directory, workers.quiet()),
        archive_watch(c.archive.directory,
                      nodes.size() > 1 ? ArchiveWatch::Peers::kSome : ArchiveWatch::Peers::kNone,
                      {*loop, workers.looks(), index, pushes, gauge, store, l}),
        space(space_options(c), {*loop, workers.scans(), file_system, l}),
        service({ServiceManager::environment_of_process(),
                 [this](TimePoint) { return service_line(nodes, config.quorum, pushes.shipper()); },
                 workers.named()},
                l),
        services{*loop,
                 pushes,
                 fetches,
                 expiry,
                 nullptr,
                 probes,
                 reconciling,
                 [this](StatusFormat format, const std::function<void(std::string)>& handler) {
                   status(format, handler);
                 }} {}

  // The clients go first, they tell the services that they end; then the workers: their jobs use
  // the services. The rest goes in reverse order.
  ~Parts() {
    clients.clear();
    pg_wal.reset();
    look_ahead.reset();
    workers.stop();
    if (store.check_directory().ok()) {
      index.save();
    }
  }

  Result<void> connect();
  Result<void> watch_pg_wal();
  void take_client(Fd socket);
  void on_postgres();
  void on_signal();
  void reload();
  void take_over(const Config& fresh);
  void begin_drain(int signal);
  TimePoint turn(TimePoint now);
  void ask_identity();
  void know_identity(std::uint64_t id);
  std::size_t awaited() const {  // by clients
    return pushes.awaited() + (look_ahead ? look_ahead->open_claims() : 0);
  }
  bool is_busy() const { return fetches.in_recovery() || pushes.shipper().open_pushes() > 0; }
  void status(StatusFormat format, const std::function<void(std::string)>& handler);
  void read_status(const std::function<void(std::string)>& handler);

  Config config;                               // as it is in force
  const std::string config_path{config.path};  // for a worker
  Log& log;
  const Clock& clock;
  NodeList nodes;
  Fd signals;
  std::unique_ptr<EventLoop> loop;
  const TimePoint started_at;
  std::unique_ptr<LocalListener> listener;
  ClientDoor door;
  PosixFileSystem file_system;
  std::unique_ptr<File> archive_lock;
  ArchiveStore store;
  Spool spool;
  LinkSet links;
  DaemonWorkers workers;
  LiveIndex index;
  PushService pushes;
  FetchService fetches;
  ScrubService scrub;
  ConflictWatch conflicts;
  ExpireService expiry;
  ProbeService probes;
  ReconcileService reconciling;
  PeerClocks clocks;
  ArchiveGauge gauge;
  ArchiveWatch archive_watch;
  PgWalGauge space;
  DaemonService service;
  ClientSession::Services services;
  std::vector<std::shared_ptr<ClientSession>> clients;
  Trouble no_status;
  std::vector<std::pair<NodeId, SshLink*>> ssh_links;  // owned by `links`
  std::unique_ptr<PostgresWatch> postgres;             // null without [postgres] conninfo
  PostgresNews postgres_news;
  std::unique_ptr<PgWalWatch> pg_wal;            // null without [postgres] data-directory
  std::unique_ptr<LookAheadService> look_ahead;  // null when it is off, too
  std::uint64_t system_id = 0;  // of a new archive: 0 until a file is stored, here or by a receiver
  TimePoint identity_due{};     // when to look again
  std::optional<TimePoint> drain_by;
  std::unique_ptr<MetricsServer> metrics;  // null without metrics-listen
};

Result<std::unique_ptr<Daemon>> Daemon::start(const Config& config, const Clock& clock, Log& log) {
  TRY(check_files(config));
  TRY_ASSIGN(Fd signals, block_signals());
  TRY_ASSIGN(auto loop, EventLoop::create(clock));
  TRY_ASSIGN(auto listener, LocalListener::listen(config.daemon.socket));
  auto parts = std::make_unique<Parts>(config, clock, log, std::move(signals), std::move(loop),
                                       std::move(listener));
  TRY(parts->store.prepare());
  TRY_ASSIGN(parts->archive_lock,
             lock_for_daemon(parts->file_system, ArchiveLayout(config.archive.directory)));
  TRY(parts->spool.prepare());
  TRY_ASSIGN(parts->system_id, parts->store.system_id());
  TRY(parts->connect());
  log.info("pgwalshipd " PGWALSHIP_VERSION " started: node " + config.node_name + ", archive '" +
           config.archive.directory + "', quorum " + config.quorum.text() + ", socket '" +
           config.daemon.socket + "'");
  return std::unique_ptr<Daemon>(new Daemon(std::move(parts)));
}

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Daemon::~Daemon() = default;

Result<void> Daemon::run() {
  parts_->service.ready(parts_->loop->now());  // the socket listens since start()
  TRY(parts_->loop->run());
  parts_->log.info("pgwalshipd stopped");
  return {};
}

Result<void> Daemon::Parts::connect() {
  TRY(loop->watch(signals.get(), Interest::kRead, [this](EventLoop::Ready) { on_signal(); }));
  TRY(door.open());
  TRY(workers.run_on(*loop));
  TRY(archive_watch.start());
  Random random(seed_from_system());
  for (NodeId id = 0; id < nodes.size(); ++id) {
    for (int session = 0; id != nodes.self && session < config.ssh.sessions; ++session) {
      auto link = std::make_unique<SshLink>(
          clock, link_options(config, nodes.at(id), system_id, random.next()));
      ssh_links.emplace_back(id, link.get());
      TRY(links.add(id, std::move(link)));
    }
  }
  if (!config.postgres.conninfo.empty()) {
    PostgresWatch::Options options;
    options.conninfo = config.postgres.conninfo;
    postgres = std::make_unique<PostgresWatch>(clock, options);
    TRY(loop->watch(postgres->event_fd(), Interest::kRead,
                    [this](EventLoop::Ready) { on_postgres(); }));
  }
  TRY(watch_pg_wal());
  if (!config.daemon.metrics_listen.empty()) {
    TRY_ASSIGN(metrics,
               MetricsServer::start(config.daemon.metrics_listen, *loop,
                                    [this](const std::function<void(std::string)>& handler) {
                                      status(StatusFormat::kJson, handler);
                                    }));
  }
  loop->on_turn([this](TimePoint now) { return turn(now); });
  return {};
}

Result<void> Daemon::Parts::watch_pg_wal() {
  if (config.postgres.data_directory.empty()) {
    return {};
  }
  PgWalWatch::Options options{
      config.postgres.data_directory, config.node_name, config.archive.compression_level, {}};
  if (config.postgres.look_ahead > 0) {
    look_ahead = std::make_unique<LookAheadService>(
        look_ahead_options(config),
        LookAheadService::Machine{*loop, clock, file_system, store, pushes, index, log});
    TRY(look_ahead->start());
    services.look_ahead = look_ahead.get();
    options.on_marks = [this](const PgWalMarks& marks) { look_ahead->on_marks(marks); };
  }
  pg_wal = std::make_unique<PgWalWatch>(std::move(options),
                                        PgWalWatch::Machine{*loop, clock, file_system, store, log,
                                                            [this] { pushes.archive_grew(); }});
  return pg_wal->start();
}

void Daemon::Parts::take_client(Fd socket) {
  if (clients.size() >= kClientsMax) {
    return;  // the connection is closed: its client tries again
  }
  auto session = ClientSession::start(
      std::move(socket), hello_of(config, Role::kAnsweringDaemon, system_id), services);
  if (session.ok()) {
    clients.push_back(std::move(session).value());
  } else {
    door.pause(session.error());
  }
}

void Daemon::Parts::on_postgres() {
  while (std::optional<PostgresFacts> answer = postgres->next()) {
    // Dropped when the disk is too slow: the next answer is soon.
    std::ignore = workers.scans().post(
        [this, facts = std::move(*answer),
         home = config.postgres.data_directory]() mutable -> Worker::Completion {
          const Result<std::uint64_t> pinned = store.system_id();
          facts.elsewhere = !home.empty() && !DataDirectory(file_system, home).running_server();
          return [this, facts, id = pinned.ok() ? pinned.value() : 0] {
            expiry.on_postgres(facts, id);
            for (const PostgresNews::Line& line : postgres_news.take(facts, id)) {
              log.write(line.level, line.text);
            }
          };
        });
  }
}

TimePoint Daemon::Parts::turn(TimePoint now) {
  TimePoint next = std::min(
      {pushes.tick(now), fetches.tick(now), scrub.tick(now), conflicts.tick(now), expiry.tick(now),
       door.tick(now), probes.tick(now), reconciling.tick(now), clocks.tick(now),
       archive_watch.tick(now), gauge.tick(now), space.tick(now), service.tick(now)});
  next = std::min(next, pg_wal ? pg_wal->tick(now) : kNever);
  next = std::min(next, look_ahead ? look_ahead->tick(now) : kNever);
  for (const auto& client : clients) {
    client->tick(now);
    next = std::min(next, client->next_wakeup());
  }
  std::erase_if(clients, [](const auto& client) { return client->ended(); });
  if (system_id == 0) {
    if (now >= identity_due) {
      identity_due = now + kIdentityInterval;
      ask_identity();
    }
    next = std::min(next, identity_due);
  }
  if (drain_by.has_value()) {
    if (awaited() == 0 || now >= *drain_by) {
      loop->stop();
    }
    next = std::min(next, *drain_by);
  }
  return next;
}

void Daemon::Parts::ask_identity() {
  std::ignore = workers.scans().post([this]() -> Worker::Completion {
    const Result<std::uint64_t> pinned = store.system_id();
    return [this, id = pinned.ok() ? pinned.value() : 0] { know_identity(id); };
  });
}

// Peers of another cluster that greeted while this archive was new are turned away now.
void Daemon::Parts::know_identity(std::uint64_t id) {
  if (id == 0 || system_id != 0) {
    return;
  }
  system_id = id;
  log.info("archive '" + config.archive.directory + "': system identifier " + std::to_string(id));
  links.greet_with(hello_of(config, Role::kDaemon, id));
}

void Daemon::Parts::on_signal() {
  signalfd_siginfo info{};
  while (read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (static_cast<int>(info.ssi_signo) == SIGHUP) {
      reload();
    } else {
      begin_drain(static_cast<int>(info.ssi_signo));
    }
  }
}

// On a worker: a disk, the user database and DNS are asked.
void Daemon::Parts::reload() {
  service.reloading(loop->now());
  const bool posted = workers.scans().post([this]() -> Worker::Completion {
    auto fresh = std::make_shared<Result<Config>>(load_config(config_path));
    return [this, fresh] {
      if (fresh->ok()) {
        take_over(fresh->value());
      } else {
        log.error("reload: the old configuration stays: " + fresh->error().text());
      }
      service.ready(loop->now());
    };
  });
  if (!posted) {
    log.error("reload: the old configuration stays: the disk is too slow, its queue is full");
    service.ready(loop->now());
  }
}

void Daemon::Parts::take_over(const Config& fresh) {
  const ReloadPlan plan = compare_configs(config, fresh);
  config = merge_configs(config, fresh);
  nodes = nodes_of(config);
  log.set_level(config.daemon.log_level);
  pushes.set_push_timeout(config.cluster.push_timeout);
  probes.set_timeout(config.cluster.push_timeout);
  expiry.follow(retention_rules(config), config.retention.interval);
  space.set_limits(config.postgres.pg_wal_warning, config.postgres.pg_wal_critical);
  scrub.set_pass(config.archive.scrub, loop->now());
  for (const auto& [id, link] : ssh_links) {
    link->go_by(link_options(config, nodes.at(id), system_id, 0));
  }
  log.write(plan.waiting.empty() ? LogLevel::kInfo : LogLevel::kWarning, text_of(plan));
}

void Daemon::Parts::begin_drain(int signal) {
  if (drain_by.has_value()) {
    return;
  }
  log.info(std::string("stopping on ") + (signal == SIGINT ? "SIGINT" : "SIGTERM") + ": " +
           "pushes to answer first: " + std::to_string(awaited()));
  drain_by = loop->now() + kDrainTime;
  if (look_ahead) {
    look_ahead->stop();
  }
  service.stopping("answering open pushes, then ending");
  door.close();
}

void Daemon::Parts::status(StatusFormat format, const std::function<void(std::string)>& wanted) {
  const auto handler =
      format == StatusFormat::kJson ? wanted : [wanted](const std::string& report) {
        wanted(metrics_text(metrics_of(report)));
      };
  // Not while a first scan may take long: it is said that the archive is still being read.
  if (index.scanned()) {
    index.refresh([this, handler](const Result<void>&) { read_status(handler); });
  } else {
    read_status(handler);
  }
}

void Daemon::Parts::read_status(const std::function<void(std::string)>& handler) {
  const bool posted =
      workers.scans().post([this, handler, server = config.postgres.data_directory,
                            outline = outline_of(index.index())]() -> Worker::Completion {
        auto facts =
            std::make_shared<DiskFacts>(read_disk_facts(file_system, store, outline, server));
        return [this, handler, facts] {
          if (index.error().has_value()) {
            facts->error = index.error()->message;
          } else if (!index.scanned()) {
            facts->error = "the archive is still being read";
            facts->reading = true;
          }
          const auto& asked = postgres_news.latest();
          handler(status_json(
              StatusInputs{.nodes = nodes,
                           .cluster = config.cluster.name,
                           .archive_directory = config.archive.directory,
                           .quorum = config.quorum.text(),
                           .config_digest = config_digest(config),
                           .shipper = pushes.shipper(),
                           .totals = pushes.totals(),
                           .links = links,
                           .disk = *facts,
                           .archive = index.index(),
                           .now = loop->now(),
                           .postgres = asked ? &*asked : nullptr,
                           .care = care_facts(config, clock, scrub, fetches),
                           .timelines = &pushes.timelines(),
                           .verdicts = &conflicts.verdicts(),
                           .retention = expiry.view(),
                           .pg_wal = space.forecast(),
                           .pushes = &pushes,
                           .back_fill = pg_wal ? &pg_wal->view() : nullptr,
                           .look_ahead = look_ahead ? &look_ahead->view() : nullptr,
                           .clocks = &clocks,
                           .archive_gauge = gauge.view(),
                           .daemon = {PGWALSHIP_VERSION, clock.wall(), loop->now() - started_at,
                                      config.archive.minimum_free_bytes}}));
        };
      });
  if (posted) {
    no_status.ends();
  } else if (no_status.begins("full")) {
    log.warning("status: the disk is too slow, its queue is full");
  }
}

}  // namespace pgwalship
