"""Fixtures for all tests: an empty database on each engine, and the corpus of real mail."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import make_url

from store.database import Database
from store.schema import metadata
from tests.peers.postgres import PostgresServer, missing
from tests.spreading import module_of, spread

ROOT = Path(__file__).resolve().parents[1]

# The suite tries the same examples each time, so that a red one is red again; `make fuzz` looks for
# new ones. No example has to be quick: several processes share a machine.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of our own."""
    parser.addoption("--update-goldens", action="store_true", help="rewrite expected transcripts")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes the modules that may take longer than others come first in each."""
    parts = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if parts > 1:
        usual = float(config.getini("timeout"))
        bounds = ((item.nodeid, item.get_closest_marker("timeout")) for item in items)
        long = {module_of(name) for name, mark in bounds if mark and mark.args[0] > usual}
        order = spread([item.nodeid for item in items], long, parts)
        place = {name: number for number, name in enumerate(order)}
        items.sort(key=lambda item: place[item.nodeid])


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no collection of garbage looks through it again."""
    gc.collect()
    gc.freeze()


class Golden:
    """Compares a text with a file in the repository, or renews the file."""

    def __init__(self, *, update: bool) -> None:
        self._update = update

    def __call__(self, path: Path, text: str) -> None:
        """Assert that `path` holds `text`; with --update-goldens write it."""
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing; `make goldens` writes it"
        assert text == path.read_text(encoding="utf-8")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(path, text)`: the text is what the file says."""
    return Golden(update=request.config.getoption("--update-goldens"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real mail that nobody on this project wrote (env MAILGATE_CORPUS)."""
    path = Path(os.environ.get("MAILGATE_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not (path / "manifest.json").exists():
        pytest.skip(f"no mail corpus at {path}; set MAILGATE_CORPUS")
    return path


# --- databases ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server for this session; leave it running as you found it."""
    if why := missing():
        pytest.skip(why)
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """URL of a server where databases may be made: MAILGATE_TEST_DSN, or our private one."""
    given = os.environ.get("MAILGATE_TEST_DSN", "")
    if given:
        return given
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url()


def _administer(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as conn:
            for statement in statements:
                conn.exec_driver_sql(statement)
    finally:
        engine.dispose()


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    folder = tmp_path_factory.mktemp("sqlite-template")
    database = Database("sqlite", folder)
    database.migrate()
    database.close()
    return folder / "mailgate.db"


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a migrated PostgreSQL database that tests use one after the other."""
    name = f"mailgate_{uuid4().hex}"
    _administer(postgres_url, f"CREATE DATABASE {name}")
    database = Database(_named(postgres_url, name), tmp_path_factory.mktemp("postgres"))
    database.migrate()
    database.close()
    yield _named(postgres_url, name)
    _administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


# Emptying takes a tenth of the time of CREATE DATABASE ... TEMPLATE. The trigger guards the audit
# trail from everybody else.
_EMPTY = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "BEGIN",
    "ALTER TABLE events DISABLE TRIGGER USER",
    *(str(table.delete()) for table in reversed(metadata.sorted_tables)),
    "ALTER TABLE events ENABLE TRIGGER USER",
    "SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, start_value, false)"
    " FROM pg_sequences",
    "COMMIT",
)


@pytest.fixture
def empty_postgres(postgres_url: str) -> Iterator[str]:
    """URL of a PostgreSQL database without tables."""
    name = f"mailgate_{uuid4().hex}"
    _administer(postgres_url, f"CREATE DATABASE {name}")
    yield _named(postgres_url, name)
    _administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_database_url(migrated_postgres: str) -> str:
    """URL of a migrated, empty PostgreSQL database; its tables are as migration made them."""
    _administer(migrated_postgres, *_EMPTY)
    return migrated_postgres


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty SQLite database in tmp_path / "data"."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(sqlite_template, folder / "mailgate.db")
    database = Database("sqlite", folder)
    yield database
    database.close()


@pytest.fixture
def postgres_database(postgres_database_url: str, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty PostgreSQL database; its blobs in tmp_path / "data"."""
    database = Database(postgres_database_url, tmp_path / "data")
    yield database
    database.close()


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)],
)
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated, empty database; the test runs once on each engine."""
    fixture = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    found: Database = request.getfixturevalue(fixture)
    return found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables, on each engine."""
    url = "sqlite" if request.param == "sqlite" else request.getfixturevalue("empty_postgres")
    database = Database(url, tmp_path / "data")
    yield database
    database.close()
