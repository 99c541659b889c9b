"""Search in the directory against SQLite LIKE, SQLite FTS5 (bigrams) and PostgreSQL trigrams, all asked the same.

    python benchmarks/directory_search.py [--contacts 25000,100000] [--queries 400] [--seconds 20] [--json FILE]

The contacts are made up (``directory_people.py``). Queries are drawn from them: a surname, a name, a part of one, a
part of a unit, a post, full pinyin, initials, a fragment of a number, a whole number, two terms. The others are given
what lets them answer: one text column with name, unit, post, numbers, and the name's pinyin and initials (its common
reading only); twenty answers, those with exactly this name first, then in the order of the directory. Abbreviations,
other readings, T9, homophones and slips are asked of nobody here, because only the directory knows them.

The directory runs in a process of its own on its saved index: memory is what that process has resident, time to ready
is from its start (imports apart) to the first answer. An engine that is slow answers as many queries as fit
``--seconds``.
"""

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import msgspec
from directory_people import people

from gateway.directory import segment_file
from gateway.directory.contact import Contact
from gateway.directory.index import DirectoryIndex
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.readings import SYLLABLES, read_as
from tests.support.postgres import PostgresCluster

NUMBERING = Numbering(NumberingOptions())
LIMIT = 20


def pinyin(name: str) -> tuple[str, str]:
    read = [SYLLABLES[numbers[0]] for char in name if (numbers := read_as(char))]
    return "".join(read), "".join(text[0] for text in read)


def line_of(contact: Contact) -> str:
    spelt, initials = pinyin(contact.name)
    numbers = " ".join(number.number for number in contact.numbers)
    return f"{contact.name} {contact.unit} {contact.post} {numbers} {spelt} {initials}"


def draw(contacts: list[Contact], count: int) -> list[str]:
    rng = random.Random(7)
    queries = []
    for number in range(count):
        contact = rng.choice(contacts)
        name, unit = contact.name, contact.unit
        start = rng.randrange(max(1, len(unit) - 3))
        mobile = contact.numbers[0].number
        place = rng.randrange(6)
        queries.append(
            (
                name[0],
                name,
                name[1:],
                unit[start : start + 2],
                unit[start : start + 4],
                contact.post or "值班员",
                pinyin(name)[0],
                pinyin(name)[1],
                mobile[place : place + rng.choice((3, 4, 5))],
                mobile,
                f"{unit[start : start + 2]} {name[0]}",
                f"{unit[start : start + 3]} {pinyin(name)[1]}",
            )[number % 12]
        )
    return queries


def timed(answer: Callable[[str], object], queries: list[str], seconds: float) -> dict[str, float]:
    taken = []
    end = time.perf_counter() + seconds
    for query in queries:
        start = time.perf_counter()
        answer(query)
        taken.append((time.perf_counter() - start) * 1000)
        if time.perf_counter() > end:
            break
    taken.sort()
    return {
        "queries": len(taken),
        "p50_ms": round(statistics.median(taken), 3),
        "p99_ms": round(taken[min(len(taken) - 1, int(len(taken) * 0.99))], 3),
    }


def resident_mb() -> float:
    fields = Path("/proc/self/status").read_text().split()
    return round(int(fields[fields.index("VmRSS:") + 1]) / 1024, 1)


def child(folder: Path, queries: list[str], seconds: float) -> None:
    """Be the process that searches."""
    before = resident_mb()
    start = time.perf_counter()
    opened = segment_file.load(folder)
    assert opened is not None
    index = DirectoryIndex((), NUMBERING, base=opened[0], units=opened[2])
    index.search(queries[0], LIMIT)
    ready_s = time.perf_counter() - start
    first = timed(lambda query: index.search(query, LIMIT), queries, seconds)
    again = timed(lambda query: index.search(query, LIMIT), queries, seconds)
    changed = msgspec.structs.replace(next(iter(index.search(queries[1], 1))).contact, name="单雄信")
    start = time.perf_counter()
    shown = changed.id in {one.contact.id for one in index.with_changes([changed]).search("shanxiongxin", LIMIT)}
    update_ms = (time.perf_counter() - start) * 1000
    assert shown
    report = {**again, "p99_cold_ms": first["p99_ms"], "ready_s": round(ready_s, 3), "update_ms": round(update_ms, 1)}
    print(json.dumps(report | {"resident_mb": resident_mb(), "before_mb": before}))


def directory(contacts: list[Contact], queries: list[str], seconds: float, folder: Path) -> dict[str, float]:
    start = time.perf_counter()
    index = DirectoryIndex(contacts, NUMBERING)
    build_s = time.perf_counter() - start
    segment_file.save(index.base, folder / "index", "bench", index.units)
    del index
    asked = folder / "queries.json"
    asked.write_text(json.dumps(queries))
    command = [sys.executable, __file__, "--child", str(folder / "index"), str(asked), "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 4 + 60, check=True)
    return {**json.loads(done.stdout), "build_s": round(build_s, 1)}


def grams(text: str) -> str:
    return " ".join(gram for word in text.split() for gram in (*word, *(word[i : i + 2] for i in range(len(word) - 1))))


def sqlite(contacts: list[Contact], queries: list[str], seconds: float, folder: Path) -> dict[str, dict]:
    database = sqlite3.connect(folder / "bench.db")
    database.execute("PRAGMA cache_size=-400000")
    database.execute("CREATE TABLE contact (id INTEGER PRIMARY KEY, name TEXT, line TEXT)")
    rows = ((number, contact.name, line_of(contact)) for number, contact in enumerate(contacts))
    database.executemany("INSERT INTO contact VALUES (?, ?, ?)", rows)
    database.execute("CREATE VIRTUAL TABLE found USING fts5(line, content='', tokenize='unicode61', detail=none)")
    rows = ((number, grams(line_of(contact))) for number, contact in enumerate(contacts))
    database.executemany("INSERT INTO found(rowid, line) VALUES (?, ?)", rows)
    database.commit()

    def like(query: str) -> object:
        terms = query.split()
        where = " AND ".join("line LIKE ?" for _ in terms)
        statement = f"SELECT id FROM contact WHERE {where} ORDER BY name != ?, id LIMIT {LIMIT}"  # noqa: S608
        return database.execute(statement, [*(f"%{term}%" for term in terms), query]).fetchall()

    def fts(query: str) -> object:
        wanted = [
            f'"{gram}"'
            for term in query.split()
            for gram in ([term] if len(term) == 1 else [term[i : i + 2] for i in range(len(term) - 1)])
        ]
        # Bigrams in any order: what has them all must still be looked at, for the text itself and the exact name.
        statement = (
            "SELECT contact.id FROM found JOIN contact ON contact.id = found.rowid WHERE found MATCH ?"  # noqa: S608
            + "".join(" AND contact.line LIKE ?" for _ in query.split())
            + f" ORDER BY contact.name != ?, contact.id LIMIT {LIMIT}"
        )
        return database.execute(
            statement, [" AND ".join(wanted), *(f"%{term}%" for term in query.split()), query]
        ).fetchall()

    results = {"SQLite LIKE": timed(like, queries, seconds), "SQLite FTS5": timed(fts, queries, seconds)}
    database.close()
    return results


def postgres(contacts: list[Contact], queries: list[str], seconds: float) -> dict[str, float]:
    cluster = PostgresCluster()
    try:
        with cluster.connect() as connection:
            connection.execute("ALTER SYSTEM SET shared_buffers = '1GB'")
        cluster.stop()
        cluster.start()
        with cluster.connect() as connection:
            connection.execute("SET maintenance_work_mem = '512MB'")
            connection.execute("CREATE EXTENSION pg_trgm")
            connection.execute("CREATE TABLE contact (id integer PRIMARY KEY, name text, line text)")
            with connection.cursor().copy("COPY contact FROM STDIN") as copy:
                for number, contact in enumerate(contacts):
                    copy.write_row((number, contact.name, line_of(contact)))
            connection.execute("CREATE INDEX ON contact USING gin (line gin_trgm_ops)")
            connection.execute("ANALYZE contact")

            def trigram(query: str) -> object:
                terms = query.split()
                where = " AND ".join("line LIKE %s" for _ in terms)
                statement = f"SELECT id FROM contact WHERE {where} ORDER BY name != %s, id LIMIT {LIMIT}"  # noqa: S608
                return connection.execute(statement, [*(f"%{term}%" for term in terms), query]).fetchall()

            return timed(trigram, queries, seconds)
    finally:
        cluster.remove()


def measure(count: int, queries: int, seconds: float) -> dict[str, dict]:
    contacts = list(people(count))
    asked = draw(contacts, queries)
    with tempfile.TemporaryDirectory(prefix="tl-dir-") as name:
        folder = Path(name)
        results = {"directory": directory(contacts, asked, seconds, folder)}
        results |= sqlite(contacts, asked, seconds, folder)
    results["PostgreSQL pg_trgm"] = postgres(contacts, asked, seconds)
    own = results["directory"]
    for result in results.values():
        result["p50_ratio"] = round(result["p50_ms"] / own["p50_ms"], 1)
        result["p99_ratio"] = round(result["p99_ms"] / own["p99_ms"], 1)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", default="25000,100000", help="how many, separated by commas")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], json.loads(arguments.child[1].read_text()), arguments.seconds)
        return
    report = {}
    for count in map(int, arguments.contacts.split(",")):
        report[count] = measure(count, arguments.queries, arguments.seconds)
        print(f"\n{count} contacts")
        print(f"{'':20} {'queries':>8} {'p50 ms':>9} {'p99 ms':>9} {'p50 x':>8} {'p99 x':>8}")
        for engine, result in report[count].items():
            figures = (result[key] for key in ("queries", "p50_ms", "p99_ms", "p50_ratio", "p99_ratio"))
            print(f"{engine:20} {'{:>8} {:>9} {:>9} {:>8} {:>8}'.format(*figures)}")
        own = report[count]["directory"]
        print(
            f"directory: resident {own['resident_mb']} MB ({own['before_mb']} before), ready {own['ready_s']} s, "
            f"built {own['build_s']} s, update visible {own['update_ms']} ms, p99 at first {own['p99_cold_ms']} ms",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
