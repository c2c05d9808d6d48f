"""PostgreSQL's catalog: what clients ask of it at their start and to show tables, each as it asks it."""

from __future__ import annotations

import asyncio
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import imputedb
from imputedb.service.core import Core
from imputedb.service.postgres.catalog import build
from imputedb.service.postgres.server import PostgresServer
from tests.service.conftest import configuration
from tests.service.survey import surveyed
from tests.service.wire import (
    MISTAKES,
    SYNC,
    Client,
    bind,
    describe,
    door,
    execute,
    kinds,
    parse,
    rows,
    state,
)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    core = Core(
        surveyed(tmp_path_factory.mktemp("catalog")),
        configuration(roles={"reader": {"per_minute": 100_000}}),
        lambda _: None,
    )
    MISTAKES.clear()
    with door(core) as found:
        yield found
    core.close()
    assert not MISTAKES


@pytest.fixture(scope="module")
def client(at: PostgresServer) -> Iterator[Client]:
    with Client(at.port, user="ann", database="survey") as found:
        yield found


QUESTIONS = [
    "select pg_catalog.version()",
    "show transaction isolation level",
    "select current_schema()",
    "SELECT current_setting('server_version_num')::int/100 as version",
    "SELECT pg_catalog.set_config('search_path', '', false)",
    "SELECT current_schemas(false), (current_schemas(true))[1], session_user, current_user, user",
    "SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate ORDER BY db.datname",
    "SELECT * FROM pg_catalog.pg_settings where name='standard_conforming_strings'",
    "SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON "
    "d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname",
    "select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> ALL ('{a,abs,absolute}'::text[])",
    "SELECT nspname AS TABLE_SCHEM, NULL AS TABLE_CATALOG FROM pg_catalog.pg_namespace WHERE nspname <> 'pg_toast' "
    "AND (nspname !~ '^pg_temp_'  OR nspname = (pg_catalog.current_schemas(true))[1]) "
    "AND (nspname !~ '^pg_toast_temp_'  OR nspname = replace((pg_catalog.current_schemas(true))[1], 'pg_temp_', "
    "'pg_toast_temp_')) ORDER BY TABLE_SCHEM",
    "SELECT result.TABLE_CAT, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM (SELECT NULL AS TABLE_CAT, "
    "a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, "
    "information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct "
    "JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) "
    "JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE ct.relname = 'area' AND i.indisprimary) result "
    "where result.A_ATTNUM = (result.KEYS).x",
    "SELECT t.typname,t.oid FROM pg_type t JOIN pg_namespace n ON (t.typnamespace = n.oid) WHERE "
    "n.nspname != 'pg_toast'",
    "SELECT DISTINCT t.typname FROM pg_enum e LEFT JOIN pg_type t ON t.oid = e.enumtypid",
    "select quote_ident(table_name) from information_schema.tables where quote_ident(table_schema) IN "
    "(SELECT CASE WHEN trim(s[i]) = '\"$user\"' THEN user ELSE trim(s[i]) END FROM generate_series("
    "array_lower(string_to_array(current_setting('search_path'),','),1), "
    "array_upper(string_to_array(current_setting('search_path'),','),1)) as i, "
    "string_to_array(current_setting('search_path'),',') s) and table_type = 'BASE TABLE'",
    "SELECT n.nspname schema_name, c.relname table_name FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n "
    "ON n.oid = c.relnamespace WHERE c.relkind = ANY('{r,p,f}') AND n.nspname !~ '^pg_' ORDER BY 1,2",
    "SELECT nsp.nspname, cls.relname, att.attname, att.atttypid::regtype::text, att.atthasdef, "
    "pg_catalog.pg_get_expr(def.adbin, def.adrelid, true) FROM pg_catalog.pg_attribute att "
    "INNER JOIN pg_catalog.pg_class cls ON att.attrelid = cls.oid INNER JOIN pg_catalog.pg_namespace nsp "
    "ON cls.relnamespace = nsp.oid LEFT OUTER JOIN pg_attrdef def ON def.adrelid = att.attrelid AND "
    "def.adnum = att.attnum "
    "WHERE cls.relkind = ANY('{r,v}') AND NOT att.attisdropped AND att.attnum > 0 AND nsp.nspname = 'public'",
    "SELECT tablename, has_table_privilege(schemaname || '.' || tablename, 'SELECT') FROM pg_catalog.pg_tables "
    "UNION ALL SELECT matviewname, pg_catalog.has_any_column_privilege('x', 'SELECT') FROM pg_catalog.pg_matviews",
    "SELECT c.relname, s.n_live_tup FROM pg_class c LEFT JOIN pg_stat_user_tables s ON c.oid = "
    "s.relid WHERE relkind='r'",
    "select 'visit'::regclass::oid, 'secret.pin'::regclass",
    "SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT "
    "typ.oid, typ.typnamespace, "
    "typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid "
    "FROM (SELECT typ.oid, "
    "typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname='array_recv' "
    "THEN 'a' ELSE typ.typtype END AS typtype FROM pg_type AS typ LEFT JOIN pg_class AS cls ON "
    "(cls.oid = typ.typrelid) "
    "LEFT JOIN pg_proc AS proc ON proc.proname = typ.typreceive LEFT JOIN pg_range ON "
    "(pg_range.rngtypid = typ.oid)) AS typ "
    "LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemoid) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace)",
    "SELECT typinput='array_in'::regproc as is_array, typtype, typname, oid FROM pg_type WHERE oid = 1009",
    "SELECT pg_is_in_recovery(), pg_catalog.pg_postmaster_start_time() IS NOT NULL, inet_server_addr() IS NULL",
    "SELECT rolname FROM pg_catalog.pg_roles; SELECT extname FROM pg_extension; SELECT * FROM pg_replication_slots",
    "SELECT pg_catalog.pg_total_relation_size(c.oid), pg_relation_size(c.oid) FROM pg_class c LIMIT 1",
    "SELECT x.indexrelid, pg_get_indexdef(x.indexrelid), pg_get_expr(x.indpred, x.indrelid) FROM pg_index x",
    "SELECT c.conname, c.conrelid::regclass, pg_get_constraintdef(c.oid, true) FROM pg_constraint c ORDER BY 1",
    "SELECT count(*) FROM information_schema.character_sets; SELECT constraint_name FROM "
    "information_schema.key_column_usage; SELECT * FROM information_schema.referential_constraints",
    "SELECT dep.* FROM pg_depend dep JOIN pg_rewrite rw ON dep.objid = rw.oid WHERE dep.classid = "
    "'pg_rewrite'::regclass",
    'SELECT TRUE AS "_" FROM "public"."visit" WHERE 1 <> 1 LIMIT 0',
    "DISCARD ALL; SET extra_float_digits = 3; SET application_name = 'x'; SET NAMES 'UTF8'; SET time zone 'UTC'",
    "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET intervalstyle TO 'postgres'; DEALLOCATE ALL",
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one[:60])
def test_what_clients_ask_at_their_start_is_answered(client: Client, question: str) -> None:
    found = client.query(question)
    assert state(found) == "", found


def test_numbers_stay_the_same_and_names_are_found(client: Client) -> None:
    asked = (
        "SELECT oid, relname FROM pg_class WHERE relkind <> 'i' AND relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    first = rows(client.query(asked))
    assert first == rows(client.query(asked))
    assert [name for _, name in first] == [b"area", b"person", b"tall", b"visit"]
    oid = next(one for one, name in first if name == b"visit")
    assert rows(client.query("SELECT 'visit'::regclass::oid")) == [(oid,)]
    number = int(oid or 0)
    named = client.query(f"SELECT c.oid::regclass::text, c.oid::regclass FROM pg_class c WHERE oid = {number}")
    assert rows(named) == [(b"visit", b"visit")]
    typed = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'visit'::regclass"
    assert rows(client.query(f"{typed} AND attname = 'cost'")) == [(b"numeric(10,2)",)]


def test_the_catalog_holds_no_row_of_the_data_and_nothing_else(client: Client) -> None:
    assert state(client.query("SELECT * FROM pg_class, person")) == "42P01"
    assert state(client.query("SELECT read_text('/etc/passwd'), version()")) == "42501"
    assert state(client.query("SELECT * FROM pg_class, read_csv('/etc/passwd')")) == "42501"
    for inside in ("raw.database", "raw.z_views", "pg.pg_class", "info.tables", "memory.raw.relations"):
        assert state(client.query(f"SELECT * FROM {inside}, pg_class")) == "42P01", inside
        assert state(client.query(f"SELECT * FROM {inside}")) == "42P01", inside
    assert state(client.query("COPY (SELECT * FROM pg_class) TO '/tmp/x'")) == "42501"
    assert state(client.query("SELECT current_setting('nix')")) == "42704"
    assert rows(client.query("SELECT current_setting('nix', true)")) == [(None,)]
    assert rows(client.query("SELECT count(*) FROM pg_class WHERE relname LIKE '%imputedb%'")) == [(b"0",)]


def test_keys_are_found_by_names_in_any_case_and_files_are_not_named(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "keys.duckdb") as db:
        db.execute("CREATE TABLE Area (Id INTEGER, Name VARCHAR, PRIMARY KEY (ID), UNIQUE (nAME))")
        db.execute("CREATE TABLE visit (id BIGINT, AREA INTEGER REFERENCES AREA (iD))")
        (tmp_path / "secret.csv").write_text("a\n1\n")
        db.execute(f"CREATE VIEW outside AS SELECT * FROM read_csv('{tmp_path}/secret.csv')")
        db.execute("CREATE VIEW inside AS SELECT Id FROM Area")
        db.execute(f"CREATE MACRO reading() AS TABLE SELECT * FROM read_csv('{tmp_path}/secret.csv')")
    core = Core(tmp_path / "keys.duckdb", configuration(), lambda _: None)
    with door(core) as own, Client(own.port, user="ann") as client:
        wanted = "contype, conkey::text, confkey::text, confrelid = 'Area'::regclass"
        assert rows(client.query(f"SELECT {wanted} FROM pg_constraint ORDER BY 1")) == [
            (b"f", b"[2]", b"[1]", b"t"), (b"p", b"[1]", b"[]", b"f"), (b"u", b"[2]", b"[]", b"f"),
        ]  # fmt: skip
        asked = "SELECT relname, definition, pg_get_viewdef(oid) FROM pg_class JOIN pg_views ON relname = viewname"
        views = client.query(f"{asked} ORDER BY 1")
        assert rows(views) == [(b"inside", *[b"SELECT Id FROM Area;"] * 2), (b"outside", None, None)]
        for asked in ("SELECT * FROM pg_proc", "SELECT * FROM information_schema.views", "SELECT * FROM pg_views"):
            assert b"secret.csv" not in b"".join(body for _, body in client.query(asked)), asked
    core.close()


def test_a_catalog_that_cannot_be_made_keeps_nothing_else_from_being_answered(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object) -> None:
        raise LookupError("nowhere")

    monkeypatch.setattr(build._Raw, "tables", failing)
    core = Core(served, configuration(), lambda _: None)
    with door(core) as own, Client(own.port, user="ann") as client:
        assert rows(client.query("SELECT 1 AS version, count(*) FROM public.person")) == [(b"1", b"300")]
        for text in ("SELECT * FROM pg_class", "SELECT table_name FROM information_schema.tables"):
            assert state(client.query(text)) == "58030"
    core.close()
    assert [MISTAKES.pop() for _ in MISTAKES[:]] == ["LookupError"]


SESSION_WORDS = [
    "current_user", "user", "session_user", "current_catalog", "version()", "pg_catalog.version()", "current_schema()",
    "current_schemas(true)", "current_database()", "pg_backend_pid()", "current_setting('imputedb.seed')",
    "'visit'::regclass", "'visit'::regclass::oid", "format_type(23, -1)", "has_table_privilege('visit', 'SELECT')",
    "upper(current_user)", "quote_ident('a b')", "public.bmi(60, 170)", "age(DATE '2020-01-03', DATE '2020-01-01')",
]  # fmt: skip


@pytest.mark.parametrize("words", SESSION_WORDS)
def test_what_is_said_of_a_session_is_the_same_beside_tables(client: Client, words: str) -> None:
    alone, beside = (client.query(f"SELECT {words}{source}") for source in ("", " FROM public.visit LIMIT 1"))
    assert kinds(alone) == "TDCZ", alone
    assert rows(beside) == rows(alone)
    if "bmi" not in words and "age" not in words and "oid" not in words and "regclass" not in words:
        assert beside[0][1] == alone[0][1], "the column is called otherwise, or of another type"


def test_a_column_goes_before_a_word_of_its_name(client: Client) -> None:
    found = client.query("SELECT user FROM (SELECT name AS user FROM area) AS one ORDER BY user")
    assert rows(found) == [(b"north",), (b"south",)]
    for order in ("ORDER BY current_user, id", "GROUP BY id, version() ORDER BY id"):
        assert rows(client.query(f"SELECT id FROM visit {order} LIMIT 1")) == [(b"0",)]
    asked = "SELECT public.area.name, public.one.two FROM public.area, (SELECT {'two': 2} AS one) AS public LIMIT 1"
    assert state(client.query(asked)) == "42703"
    assert rows(client.query("SELECT public.one.two FROM (SELECT {'two': 2} AS one) AS public")) == [(b"2",)]
    assert rows(client.query("SELECT version() FROM visit WHERE seen > '2019-01-01' LIMIT 1 WITHIN 60000 MS")) == rows(
        client.query("SELECT version()")
    )


def test_a_setting_is_set_where_its_statement_has_run_alone(client: Client) -> None:
    asked = "SELECT set_config('imputedb.seed', '7', false)"
    for quiet in (f"{asked} WHERE false", f"{asked} FROM visit LIMIT 0", f"{asked} FROM nix"):
        client.query(quiet)
        assert rows(client.query("SHOW imputedb.seed")) == [(b"0",)], quiet
    described = client.ask(parse(asked), describe("S"), SYNC)
    assert (kinds(described), rows(client.query("SHOW imputedb.seed"))) == ("1tTZ", [(b"0",)])
    for inner in ("CASE WHEN false THEN set_config('imputedb.seed', '7', false) END", f"({asked})", "1 UNION " + asked):
        assert state(client.query(f"SELECT {inner}")) == "0A000", inner
    told = client.query("SELECT set_config('application_name', 'one', false)::text FROM visit")
    assert len(rows(told)) == 10
    assert (kinds(told)[:2], told[0][1]) == ("ST", b"application_name\0one\0")
    client.query("RESET ALL")


def test_a_text_that_looks_like_a_parameter_is_none(client: Client) -> None:
    asked = "SELECT relname, 'cost $1' AS dear FROM pg_class WHERE relname = $1 AND oid::text <> '$2'"
    found = client.ask(parse(asked), describe("S"), bind(b"visit"), execute(), SYNC)
    assert (kinds(found), rows(found)) == ("1tT2DCZ", [(b"visit", b"cost $1")])
    assert kinds(client.ask(parse("SELECT version(), 'cost $1'"), describe("S"), bind(), execute(), SYNC)) == "1tT2DCZ"
    typed = client.ask(parse("SELECT $2::int4, $1, '{1}'::int4[] FROM pg_class LIMIT 1"), describe("S"), SYNC)
    assert struct.unpack("!Hii", typed[1][1]) == (2, 25, 23)
    smuggled = 'SELECT $1::"int4)), (SELECT 1/0" FROM pg_class'
    assert b"name int4)), (select" in client.ask(parse(smuggled), describe("S"), SYNC)[1][1]


def test_settings_are_told_and_set_by_functions(client: Client) -> None:
    assert rows(client.query("SELECT set_config('imputedb.seed', '9', false), current_setting('imputedb.seed')")) == [
        (b"9", b"9")
    ]
    assert rows(client.query("SHOW imputedb.seed")) == [(b"9",)]
    assert kinds(client.query("RESET imputedb.seed")) == "CZ"


def test_psql_shows_tables_databases_schemas_and_functions(at: PostgresServer) -> None:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    asked = [
        r"\dt",
        r"\d visit",
        r"\d area",
        r"\d+ tall",
        r"\l",
        r"\dn",
        r"\df",
        r"\di",
        r"\dv",
        r"\du",
        r"\dp",
        r"\d pg_class",
    ]
    target = f"host=127.0.0.1 port={at.port} user=ann dbname=survey connect_timeout=10"
    parts = [part for one in asked for part in ("-c", one)]
    found = subprocess.run(["psql", "-X", "-A", target, *parts], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")
    for line in (
        "public|visit|table|imputedb", "cost|numeric(10,2)|||", "seen|timestamp without time zone|||now()",
        '    "visit_id_pkey" PRIMARY KEY, btree (id)', "survey|imputedb|UTF8|C.UTF-8|C.UTF-8||libc|", "secret|imputedb",
        "public|bmi|any|w, h|func", "public|tall|view|imputedb", "Foreign-key constraints:", "relname|text|||",
    ):  # fmt: skip
        assert line in found.stdout.split("\n"), (line, found.stdout)


def test_sqlalchemy_reflects_tables(at: PostgresServer) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://ann@127.0.0.1:{at.port}/survey")
    told = sqlalchemy.MetaData()
    told.reflect(engine, views=True)
    assert set(told.tables) == {"area", "person", "tall", "visit"}
    visit, person = told.tables["visit"], told.tables["person"]
    assert {name: str(column.type) for name, column in visit.c.items()} == {
        "id": "BIGINT", "area": "INTEGER", "seen": "TIMESTAMP", "cost": "NUMERIC(10, 2)", "tags": "ARRAY",
    }  # fmt: skip
    assert [column.name for column in visit.primary_key] == ["id"]
    assert [str(one.target_fullname) for one in visit.foreign_keys] == ["area.id"]
    assert told.tables["area"].comment == "where"
    with engine.connect() as connection:
        asked = sqlalchemy.select(person.c.sex, sqlalchemy.func.avg(person.c.weight)).group_by(person.c.sex)
        assert len(connection.execute(asked.where(person.c.height > 100.5)).all()) == 2
        assert connection.execute(sqlalchemy.select(visit.c.tags).limit(1)).scalar() == ["a", "b"]
    engine.dispose()


def test_asyncpg_prepares_pages_cancels_and_pools(at: PostgresServer) -> None:
    asyncpg = pytest.importorskip("asyncpg", reason="asyncpg is not installed")
    target: dict[str, Any] = {"host": "127.0.0.1", "port": at.port, "user": "ann", "database": "survey", "timeout": 20}

    async def asked() -> None:
        one = await asyncpg.connect(**target)
        rows = await one.fetch("SELECT id, cost, tags FROM visit WHERE cost > $1 AND id < $2 ORDER BY id", 2, 3)
        assert [tuple(row) for row in rows] == [(1, rows[0][1], ["a", "b"]), (2, rows[1][1], ["a", "b"])]
        assert await one.fetchval("SELECT $1::int[] || $2::int[]", [1, None], [3]) == [1, None, 3]
        assert await one.fetchval("SELECT height + $1 - height FROM person LIMIT 1", 0.5) == pytest.approx(0.5)
        async with one.transaction():
            assert [row[0] async for row in one.cursor("SELECT * FROM range(250)", prefetch=100)] == list(range(250))
        with pytest.raises(asyncpg.UndefinedTableError):
            await one.fetch("SELECT * FROM nix")
        with pytest.raises(TimeoutError):
            await one.fetch("SELECT count(*) FROM range(100000000) a, range(100000) b", timeout=0.3)
        assert await one.fetchval("SELECT 1") == 1
        await one.close()
        async with asyncpg.create_pool(**target, min_size=1, max_size=2) as pool:
            found = await asyncio.gather(*(pool.fetchval("SELECT $1::int + 1", n) for n in range(5)))
        assert found == [1, 2, 3, 4, 5]

    asyncio.run(asyncio.wait_for(asked(), 60))


def test_pg8000_asks_with_parameters(at: PostgresServer) -> None:
    native = pytest.importorskip("pg8000.native", reason="pg8000 is not installed")
    with native.Connection("ann", host="127.0.0.1", port=at.port, database="survey", timeout=20) as connection:
        found = connection.run("SELECT id, cost, tags FROM visit WHERE cost > :c ORDER BY id LIMIT 1", c=2)
        assert [found[0][0], str(found[0][1]), found[0][2]] == [1, "2.25", ["a", "b"]]
        with pytest.raises(native.DatabaseError):
            connection.run("SELECT * FROM nix")


def test_the_docs_list_every_client_that_is_tried() -> None:
    folder = Path(__file__).parent
    docs = (folder.parents[1] / "docs" / "service.md").read_text(encoding="utf-8")
    listed = {name for line in docs.splitlines() if line.startswith("| ") for name in re.findall(r"`(test_\w+)`", line)}
    clients = r"def (test_(?:psql|psycopg|asyncpg|pg8000|sqlalchemy|jdbc|node|postgresql|what_clients)_\w+)"
    tried = {name for path in folder.glob("test_postgres_*.py") for name in re.findall(clients, path.read_text())}
    assert listed == tried
