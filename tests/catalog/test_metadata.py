import pytest

from stream_match.catalog.metadata import read_metadata, warn_of_unknown
from stream_match.errors import UsageError


@pytest.fixture
def table(tmp_path):
    def read(content):
        path = tmp_path / "tracks.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_metadata(path)

    return read


def test_columns_by_name_others_ignored(table):
    found = table('year,Title,id,artist\n1999,"One, two",a/b,Ann\n2000,,c,\n')
    assert found == {"a/b": {"title": "One, two", "artist": "Ann"}, "c": {}}


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_part_of_a_name(table, start):
    assert table(start + "id,title\r\na,Ö\r\n".encode()) == {"a": {"title": "Ö"}}


def test_short_and_long_rows(table):
    assert table("id,title,artist\na\nb,T,A,more,and more\n") == {"a": {}, "b": {"title": "T", "artist": "A"}}


def test_what_spreadsheets_write(table):
    found = table("id , title,artist,album\r\n a/b ,A , B,\r\n\u00a0c,,,\r\n,,,\r\n,,,\r\n ,\t,,\r\n")
    assert found == {"a/b": {"title": "A", "artist": "B"}, "c": {}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,title\na,b\n", "no column 'id'"),
        ("", "no column 'id'"),
        ("id;title\na;b\n", "no column 'id'"),
        ("id\na\nb\na\n", "'a' twice .line 4"),
        ("id,title\na,A\n a ,B\n", "'a' twice .line 3"),
        ("id,title\n,A\n", "a track without an id .line 2.: give its id, or delete the line$"),
        (b"id,title\na,\xff\n", "not UTF-8"),
        ('id,title\na,"b\n', "not a CSV file"),
    ],
)
def test_mistakes_are_named(table, content, message):
    with pytest.raises(UsageError, match=message):
        table(content)


def test_a_missing_file_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match=r"none\.csv.*No such file"):
        read_metadata(tmp_path / "none.csv")


def test_no_file_is_an_empty_table():
    assert read_metadata(None) == {}


def test_unknown_ids_give_one_warning(caplog):
    warn_of_unknown({f"x{number}": {} for number in range(8)} | {"a": {}}, {"a", "b"})
    assert [record.getMessage() for record in caplog.records] == [
        "the metadata describe tracks that were not found: 'x0', 'x1', 'x2', 'x3', 'x4' and 3 more"
    ]


def test_known_ids_give_none(caplog):
    warn_of_unknown({"a": {}}, {"a", "b"})
    assert not caplog.records
