"""A fleet's file: every mistake at once, and nothing that could put the records of two councils together."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.fleets import FleetFolder, make_schemas
from support.posix import needs_posix

from monitor.errors import Problems
from monitor.fleet.authorities import open_config
from monitor.fleet.check_fleet import find_reached_twice
from monitor.fleet.fleet_settings import read_fleet

EVERY = """
[fleet]
workers = 65
minuts = 5
database = "sqlite:///region.db"
[[authorities]]
code = 314
config = "a.toml"
[[authorities]]
code = "3l5"
confg = "b.toml"
"""


def problems_of(path: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(Problems) as fault:
        read_fleet(path, environ or {})
    said = [line.replace(f"{path.parent}{os.sep}", "").replace(f"{path.parent}", ".") for line in fault.value.problems]
    return [line.replace(os.sep, "/") for line in said]


def test_councils_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    fleet = read_fleet(FleetFolder(tmp_path, ("319", "E09000021", "314")).write().path, {})

    assert [(council.code, council.name, council.schema) for council in fleet.authorities] == [
        ("319", "Sutton", None),
        ("E09000021", "E09000021", None),
        ("314", "Kingston", None),
    ]
    assert (fleet.workers, fleet.folder) == (2, tmp_path / "fleet")
    assert [council.code for council in fleet.choose(["314", " e09000021"])] == ["E09000021", "314"]
    with pytest.raises(Problems, match=r"--only 999: no council of .* has this code; 314, 319, E09000021"):
        fleet.choose(["999"])


def test_every_mistake_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(EVERY, encoding="utf-8")

    assert problems_of(tmp_path / "fleet.toml") == [
        "fleet.toml: fleet.workers: 65: input should be less than or equal to 64",
        'fleet.toml: fleet.minuts: unknown key; did you mean "minutes"?',
        'fleet.toml: authorities[314].code: 314 is no text; write it between quotes, like "314"',
        'fleet.toml: authorities[3l5].code: "3l5" is not the code of a council; write its three digits at the DfE, '
        'like "314", or its GSS code, like "E09000021"',
        "fleet.toml: authorities[3l5].config: missing",
        'fleet.toml: authorities[3l5].confg: unknown key; did you mean "config"?',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[fleet]\n", "fleet.toml: authorities: missing"),
        ("[authorities]\n", "fleet.toml: authorities: is one table, and there may be several; write [[authorities]]"),
        ("authorities = []\n", "fleet.toml: authorities: at least one is needed; add a [[authorities]] table"),
        ("[[sources]]\n", "fleet.toml: is the config of one council; a fleet's file has [[authorities]]"),
    ],
    ids=["case1", "case2", "case3", "case4"],
)
def test_a_file_that_names_no_council_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "fleet.toml").write_text(text, encoding="utf-8")

    assert [line[: len(said)] for line in problems_of(tmp_path / "fleet.toml")] == [said]


def test_a_council_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    fleet = FleetFolder(tmp_path).write()
    text = fleet.path.read_text(encoding="utf-8").replace('"319"', '"314"').replace("sutton", "merton/../merton")
    fleet.path.write_text(text, encoding="utf-8")

    assert problems_of(fleet.path) == [
        "fleet.toml: authorities[314].code: stands there 2 times; each council has a code of its own",
        "fleet.toml: authorities[314].config: merton/../merton/monitor.toml is also that of 315; each council has a "
        "config of its own",
    ]


@needs_posix("links without asking")
def test_one_config_behind_a_link_is_one_config(tmp_path: Path) -> None:
    fleet = FleetFolder(tmp_path).write()
    fleet.config("319").unlink()
    fleet.config("319").symlink_to(fleet.config("314"))

    assert "sutton/monitor.toml is also that of 314" in problems_of(fleet.path)[0]


def test_what_would_put_two_councils_records_together_is_refused(tmp_path: Path) -> None:
    database = (tmp_path / "shared" / "monitor.db").as_posix()
    own = {
        "314": 'data_folder = "../shared"\nrestricted = "../list.txt"\nheartbeat = { url_file = "../ping" }\n',
        "315": 'data_folder = "../shared/merton"\nrestricted = "../list.txt"\n',
        "319": f'heartbeat = {{ url_env = "PING" }}\ndatabase = "sqlite:///{database}"\n',
    }
    (tmp_path / "list.txt").touch()
    (tmp_path / "ping").write_text("https://ping.example/1\n", encoding="utf-8")
    head = 'head = "head@example.gov.uk"\n'
    fleet = FleetFolder(tmp_path, own=own, lines='folder = "shared"').write()
    for code in ("314", "319"):
        text = fleet.config(code).read_text(encoding="utf-8")
        text = text.replace("list-9.csv", "../kingston/list-9.csv").replace("Sutton", " KINGSTON")
        fleet.config(code).write_text(text.replace("[people]\n", f"[people]\n{head}"), encoding="utf-8")
    text = fleet.config("315").read_text(encoding="utf-8")
    fleet.config("315").write_text(text.replace("[people]\n", f"[people]\n{head}"), encoding="utf-8")

    said = [line.partition("; ")[0] for line in problems_of(fleet.path, {"PING": "https://ping.example/1"})]

    assert said == [
        'fleet.toml: 314 and 319 have one authority "Kingston"',
        'fleet.toml: 314 and 319 have one source "caseload", file kingston/../kingston/list-9.csv',
        "fleet.toml: 314 and 315 have one restricted kingston/../list.txt",
        "fleet.toml: 314 and 319 have one heartbeat address, that of kingston/../ping",
        "fleet.toml: 314: database kingston/../shared/monitor.db is also database of 319",
        "fleet.toml: 315: data_folder merton/../shared/merton lies within data_folder of 314",
        "fleet.toml: fleet.folder: shared and data_folder of 314, kingston/../shared, are one in the other",
        "fleet.toml: fleet.folder: shared and data_folder of 315, merton/../shared/merton, are one in the other",
        "fleet.toml: fleet.folder: shared and database of 319, shared/monitor.db, are one in the other",
    ]


def test_a_config_that_cannot_be_used_is_its_own_councils_failure(tmp_path: Path) -> None:
    fleet = FleetFolder(tmp_path).write()
    fleet.config("314").unlink()
    fleet.config("315").unlink()
    fleet.config("315").mkdir()

    read = read_fleet(fleet.path, {})

    assert [len(council.problems) for council in read.authorities] == [1, 1, 0]
    assert read.authorities[1].problems[0].endswith("monitor.toml: is no file; name the config of a council")
    with pytest.raises(Problems, match=r"no such file; name with authorities\[314\].config where it is"):
        open_config(read, read.authorities[0])
    assert open_config(read, read.authorities[2]).authority == "Sutton"


def test_a_councils_own_config_names_its_schema(tmp_path: Path, new_database: Callable[[], str]) -> None:
    url = new_database()
    fleet = FleetFolder(tmp_path, url=url).write()
    own = url.replace("//postgres@", "//la_315@")
    text = fleet.config("315").read_text(encoding="utf-8")
    fleet.config("315").write_text(text.replace("la_315", "la_316"), encoding="utf-8")
    fleet.config("319").write_text(
        text.replace(f'database = "{own}"\n', "").replace("Merton", "Sutton"), encoding="utf-8"
    )
    make_schemas(url)

    kingston, merton, sutton = read_fleet(fleet.path, {}).authorities

    assert (kingston.schema, kingston.problems) == ("la_314", ())
    assert 'database_schema: "la_316" is not that of council 315; write database = "postgresql' in merton.problems[0]
    assert "database_schema: only for PostgreSQL" in sutton.problems[0]


def test_one_schema_behind_two_names_of_a_server_is_found(tmp_path: Path, new_database: Callable[[], str]) -> None:
    url = new_database()
    make_schemas(url, ("314", "315"))
    fleet = FleetFolder(tmp_path, ("314", "315"), url=url).write()
    fleet.path.write_text(fleet.path.read_text(encoding="utf-8").replace(f'database = "{url}"', ""), encoding="utf-8")
    (tmp_path / "socket").symlink_to(url.partition("host=")[2])
    other = f"postgresql://postgres@/{url.split('/')[3].partition('?')[0]}?host={tmp_path / 'socket'}"
    text = fleet.config("315").read_text(encoding="utf-8")
    own = url.replace("//postgres@", "//la_315@")
    fleet.config("315").write_text(text.replace(own, other).replace('"la_315"', '"la_314"'), encoding="utf-8")

    problems, notes = find_reached_twice(read_fleet(fleet.path, {}), {})

    assert problems == (
        "314 and 315: reach one schema by two names of its server; give each council a database_schema of its own",
    )
    assert notes == ("315: its role may use la_315 too; give each schema a role of its own",)
