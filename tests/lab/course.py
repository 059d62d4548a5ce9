"""Runs scenarios one after the other on one living cluster, and tells what came of it."""

import dataclasses
import json
import sys
import time

import lives
import recovery
import scenarios
import trial
import witnesses

LEDGER = f"""
select 'create role app login password ''{witnesses.APP_PASSWORD}''' where not exists
  (select from pg_roles where rolname = 'app') \\gexec
create table if not exists ledger (id bigint primary key, what text);
grant all on ledger to app;
"""


def note(text):
    print(trial.plain(text), file=sys.stderr, flush=True)


def prepare(lab, cluster_health):
    recovery.psql(lab, cluster_health.primary, LEDGER)


def run(lab, wanted, rebuild):
    """A list of results; a cluster that does not heal is built again for the next."""
    results = []
    start = time.time()
    for scenario in wanted:
        note(f"{scenario.number}: {scenario.title}")
        kind = lives.Life if scenario in scenarios.LIVES else trial.Trial
        this = kind(lab, scenario, note)
        state = this.health()
        if state.primary:
            prepare(lab, state)
        result = this.run()
        results.append(result)
        verdict = "ok" if not result.failures else "FAILED"
        note(f"  {verdict}: longest outage {result.outage} s, whole after {result.whole_after} s, "
             f"{result.acknowledged} commits, {result.lost} lost, {result.seconds:.0f} s in all")
        (lab.directory / "results.json").write_text(as_json(results))
        if result.failures and scenario is not wanted[-1]:
            rebuild()
    note(f"{len(results)} scenarios in {time.time() - start:.0f} s, "
         f"{sum(bool(result.failures) for result in results)} failed")
    return results


def as_json(results):
    return json.dumps([dataclasses.asdict(result) for result in results], indent=1)


def table(results):
    """Markdown, for docs/cluster.md."""
    lines = ["| # | what breaks | what must follow | outage | whole after | commits | lost | "
             "rejoined | |", "|---|---|---|---|---|---|---|---|---|"]
    for entry in results:
        must = (f"service within {entry['within']} s" if entry["continues"] else
                f"stops; within {entry['within']} s of the repair")
        roles = {name: role for role, name in entry["roles"].items()}
        lines.append("| " + " | ".join([
            entry["number"], entry["title"], must, f"{entry['outage']} s",
            f"{entry['whole_after']} s", str(entry["acknowledged"]), str(entry["lost"]),
            " ".join(roles.get(name, name) for name in entry["rejoined"]),
            "ok" if not entry["failures"] else "**failed**"]) + " |")
    seconds = sum(entry["seconds"] for entry in results)
    commits = sum(entry["acknowledged"] for entry in results)
    lines += ["", f"{len(results)} in {seconds / 60:.0f} minutes, {commits} commits acknowledged, "
              f"{sum(entry['lost'] for entry in results)} lost; two cores."]
    return "\n".join(lines) + "\n"


BEGIN = "<!-- results: made by `lab run all --json >FILE; lab table FILE --into docs/cluster.md` -->\n"
END = "<!-- end of results -->\n"


def put_into(path, text):
    """Replaces what stands between the two marks."""
    whole = path.read_text()
    before, _, rest = whole.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"lab: {path} has no place for the results")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def choose(word):
    if word == "all":
        return [*scenarios.SCENARIOS, *scenarios.LIVES]
    if word == "life":
        return list(scenarios.LIVES)
    found = [scenarios.find(number) for number in word.split(",")]
    if None in found:
        known = ", ".join(scenario.number for scenario in scenarios.SCENARIOS)
        raise SystemExit(f"lab: no scenario '{word}' (HINT: all, life, smoke, or some of {known})")
    return found


__all__ = ["as_json", "choose", "put_into", "run", "table"]
