"""API keys: made once, hashed on disk, valid and revoked at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.core.errors import StackError, UsageError
from serving.http import api_keys
from serving.http.api_keys import Keys

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)


def test_a_key_is_good_for_its_scopes_and_only_its_digest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys" / api_keys.FILE
    keys = Keys(path)
    assert len(keys) == 0
    key = api_keys.add(path, "press", ["feedback", "predict"], NOW)
    found = keys.find(key)
    assert found is not None
    assert (found.name, found.scopes) == ("press", ("predict", "feedback"))
    assert [found.may(scope) for scope in api_keys.SCOPES] == [True, True, False, False]
    assert path.stat().st_mode & 0o777 == 0o600
    secret = key.split("_", 2)[2]
    assert len(secret) == 43  # 256 bits
    assert all(secret not in file.read_text() for file in path.parent.iterdir())
    admin = keys.find(api_keys.add(path, "ops", ["admin"], NOW))
    assert admin is not None
    assert all(admin.may(scope) for scope in api_keys.SCOPES)


def test_a_running_service_knows_new_and_revoked_keys_at_once(tmp_path: Path) -> None:
    path = tmp_path / api_keys.FILE
    keys = Keys(path)
    first = api_keys.add(path, "first", ["predict"], NOW)
    second = api_keys.add(path, "second", ["predict"], NOW)
    assert (keys.find(first) is not None, keys.find(second) is not None) == (True, True)
    api_keys.revoke(path, "first", NOW)
    assert (keys.find(first), keys.find(second) is not None) == (None, True)
    assert api_keys.add(path, "first", ["admin"], NOW) != first  # its name is free again
    assert keys.find(first) is None
    assert [(key.name, key.revoked is None) for key in api_keys.load(path)] == [
        ("first", False),
        ("second", True),
        ("first", True),
    ]
    path.unlink()
    assert keys.find(second) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key.upper(),
        lambda key: "nl_" + "0" * 12 + key[15:],
        lambda key: key.replace("nl_", ""),
        lambda key: key + "\n",
        lambda key: "\udc80" + key,
    ],
)
def test_what_is_nearly_a_key_is_none(tmp_path: Path, change: object) -> None:
    path = tmp_path / api_keys.FILE
    key = api_keys.add(path, "a", ["admin"], NOW)
    assert callable(change)
    assert Keys(path).find(change(key)) is None


@pytest.mark.parametrize(
    ("name", "scopes", "message"),
    [
        ("", ["predict"], "Expected a name"),
        ("a b", ["predict"], "Expected a name"),
        ("x" * 65, ["predict"], "Expected a name"),
        ("a", [], "got none"),
        ("a", ["predict", "root"], "got root"),
        ("taken", ["predict"], "no valid key has"),
    ],
)
def test_a_key_that_cannot_be_is_an_error(
    tmp_path: Path, name: str, scopes: list[str], message: str
) -> None:
    path = tmp_path / api_keys.FILE
    api_keys.add(path, "taken", ["predict"], NOW)
    with pytest.raises(UsageError, match=message):
        api_keys.add(path, name, scopes, NOW)
    with pytest.raises(UsageError, match=r"\(taken\), got nobody"):
        api_keys.revoke(path, "nobody", NOW)
    assert len(api_keys.load(path)) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"keys": [{}]}',
        '{"keys": [1]}',
        '{"keys": null}',
        "\xff",
    ],
)
def test_a_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path, content: str) -> None:
    path = tmp_path / api_keys.FILE
    keys = Keys(path)
    key = api_keys.add(path, "a", ["admin"], NOW)
    assert keys.find(key) is not None
    path.write_text(content)
    assert keys.find(key) is None
    with pytest.raises(StackError, match="got something else"):
        api_keys.load(path)


def test_a_file_that_others_may_write_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / api_keys.FILE
    key = api_keys.add(path, "a", ["admin"], NOW)
    path.chmod(0o620)
    with pytest.raises(StackError, match="chmod 600"):
        api_keys.load(path)
    keys = Keys(path)
    assert keys.find(key) is None
    path.chmod(0o640)
    assert keys.find(key) is not None


def test_an_unknown_scope_in_the_file_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / api_keys.FILE
    key = api_keys.add(path, "a", ["predict"], NOW)
    value = json.loads(path.read_text())
    value["keys"][0]["scopes"] = ["everything"]
    path.write_text(json.dumps(value))
    assert Keys(path).find(key) is None


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / api_keys.FILE
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: api_keys.add(path, f"k{i}", ["predict"], NOW), range(24)))
    keys = Keys(path)
    assert all(keys.find(key) for key in made)


def test_who_changes_the_file_while_another_command_does_waits_and_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "_LOCK_SECONDS", 0)
    path = tmp_path / "keys" / api_keys.FILE
    with api_keys._changing(path), pytest.raises(StackError, match="to be done within 0 s"):
        api_keys.add(path, "a", ["predict"], NOW)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.chmod(0o755)
    path.mkdir()
    with pytest.raises(StackError, match="Expected the API keys in"):
        api_keys.load(path)


def test_a_key_is_revoked_by_its_id_and_loses_its_digest(tmp_path: Path) -> None:
    path = tmp_path / api_keys.FILE
    other, key = (api_keys.add(path, name, ["predict"], NOW) for name in "ba")
    id_ = key.split("_")[1]
    later = datetime(2026, 2, 1, tzinfo=UTC)
    gone = api_keys.revoke(path, id_, later)
    assert (gone.name, gone.id, gone.digest) == ("a", id_, "")
    assert (gone.created, gone.revoked) == (NOW.isoformat(), later.isoformat())
    assert [entry.name for entry in api_keys.load(path)] == ["b", "a"]
    assert api_keys.load(path)[1] == gone
    with pytest.raises(UsageError, match=r"\(b\), got a\."):
        api_keys.revoke(path, "a", later)
    found = Keys(path).find(other)
    assert found is not None and (found.name, len(Keys(path))) == ("b", 1)
    api_keys.revoke(path, "b", later)
    with pytest.raises(UsageError, match=r"\(none\)"):
        api_keys.revoke(path, "b", later)


@pytest.mark.parametrize("field", ["id", "name", "digest", "created"])
def test_a_field_of_another_kind_lets_nobody_in(tmp_path: Path, field: str) -> None:
    path = tmp_path / api_keys.FILE
    key = api_keys.add(path, "a", ["predict"], NOW)
    value = json.loads(path.read_text())
    value["keys"][0][field] = 7
    path.write_text(json.dumps(value))
    with pytest.raises(StackError, match="got something else"):
        api_keys.load(path)
    assert Keys(path).find(key) is None


def test_all_unknown_scopes_are_named_in_order(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got a, b, c, d, e, root"):
        api_keys.add(tmp_path / api_keys.FILE, "a", ["e", "c", "a", "root", "d", "b"], NOW)
