"""A package is a stranger's: what is hostile is refused, what is right comes out byte for byte."""

import gzip
import io
import json
import stat
import struct
import tarfile
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.plugins import PackageInvalid, package

MANIFEST = json.dumps({"name": "invoice-manager", "version": "1.0.0"}).encode()
RIGHT = {"manifest.json": MANIFEST, "index.js": b"module.exports = {};"}


def zipped(files, **more):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there twice is the point
        for path, body in [*files.items(), *more.get("twice", [])]:
            archive.writestr(path, body)
    return content.getvalue()


def tarred(files, extra=()):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path, body in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        for entry in extra:
            archive.addfile(entry)
    return content.getvalue()


def refused(archive):
    with pytest.raises(PackageInvalid) as found:
        package.read(archive)
    return found.value.details


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_right_package_is_read_whole(pack):
    archive = pack({**RIGHT, "lib/deep/a.js": b"1", "assets/icon.svg": b"<svg/>"})

    read = package.read(archive)

    assert read.manifest.slug == "invoice-manager"
    assert read.files == {**RIGHT, "lib/deep/a.js": b"1", "assets/icon.svg": b"<svg/>"}
    assert read.size_bytes == len(archive)


def test_folders_and_the_debris_of_operating_systems_are_passed_over():
    read = package.read(zipped({**RIGHT, "lib/": b"", "__MACOSX/index.js": b"x", "lib/.DS_Store": b"x"}))

    assert set(read.files) == set(RIGHT)


def test_a_tar_may_begin_its_paths_with_a_dot():
    assert set(package.read(tarred({f"./{path}": body for path, body in RIGHT.items()})).files) == set(RIGHT)


@pytest.mark.parametrize(
    "path",
    [
        "../evil.js",
        "a/../../evil.js",
        "/etc/passwd",
        "C:/evil.js",
        "a\\..\\evil.js",
        "a//b.js",
        "a/./b.js",
        "a\n.js",
        "x" * 600,
        "a/../index.js",
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_path_that_leads_elsewhere_is_refused(pack, path):
    assert refused(pack({**RIGHT, path: b"x"}))


@pytest.mark.parametrize("twin", ["Index.js", "INDEX.JS", "index.js/inner.js"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_a_file_system_takes_for_one_are_refused(pack, twin):
    assert twin in refused(pack({**RIGHT, twin: b"x"}))


def test_a_folder_that_turns_out_a_file_is_refused():
    assert "lib" in refused(zipped({**RIGHT, "lib/a.js": b"x", "lib": b"x"}))


def test_the_same_name_twice_is_refused():
    assert refused(zipped(RIGHT, twice=[("index.js", b"other")])) == {"index.js": ["It is there twice"]}


def test_the_same_letters_in_two_spellings_are_one_name():
    assert refused(zipped({**RIGHT, "caf\u00e9.js": b"1", "cafe\u0301.js": b"2"}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(kind):
    entry = zipfile.ZipInfo("link.js")
    entry.external_attr = (kind | 0o777) << 16

    assert refused(zipped({**RIGHT, entry: b"/etc/passwd"})) == {"link.js": ["Links and devices are not allowed"]}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_and_devices_in_a_tar_are_refused(kind):
    entry = tarfile.TarInfo("link.js")
    entry.type, entry.linkname = kind, "index.js"

    assert refused(tarred(RIGHT, [entry])) == {"link.js": ["Links and devices are not allowed"]}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_refused(pack):
    assert "times its size" in str(refused(pack({**RIGHT, "zeros.bin": bytes(20_000_000)})))


def test_many_files_that_are_too_much_together_are_refused(monkeypatch):
    monkeypatch.setattr(package, "LARGEST_UNPACKED_BYTES", 100_000)

    details = refused(zipped({**RIGHT, **{f"{number}.bin": bytes(range(256)) * 40 for number in range(20)}}))

    assert "unpacks to more than" in details["package"][0]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_too_many_files_are_refused(pack):
    files = {f"{number}.js": b"" for number in range(package.MOST_FILES + 1)}

    assert "more than 5000 files" in refused(pack({**RIGHT, **files}))["package"][0]


def test_a_header_that_lies_about_its_size_is_not_believed():
    archive = bytearray(zipped({**RIGHT, "a.bin": b"x" * 5000}))
    at = archive.rindex(b"PK\x01\x02", 0, archive.rindex(b"a.bin"))
    struct.pack_into("<I", archive, at + 24, 10)

    assert "damaged" in refused(bytes(archive))["package"][0]


def test_an_encrypted_file_is_refused():
    archive = bytearray(zipped(RIGHT))
    at = archive.index(b"PK\x01\x02")
    archive[at + 8] |= 1

    assert refused(bytes(archive)) == {"manifest.json": ["It is encrypted"]}


def test_a_name_in_another_encoding_is_refused():
    archive = zipped({**RIGHT, "caf_.js": b"x"}).replace(b"caf_.js", b"caf\xe9.js")

    assert "UTF-8" in str(refused(archive))


def test_a_name_that_ends_early_is_refused():
    archive = zipped({**RIGHT, "a_.txt": b"x"}).replace(b"a_.txt", b"a\x00.txt")

    assert refused(archive)


def test_unusual_compression_is_refused():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        for path, body in RIGHT.items():
            archive.writestr(path, body)

    assert "deflate" in str(refused(content.getvalue()))


@pytest.mark.parametrize(
    "archive",
    [b"", b"PK", b"PK\x03\x04garbage", b"\x1f\x8bgarbage", b"#!/bin/sh", b"Rar!\x1a\x07", gzip.compress(b"no tar" * 200, mtime=0)],
)
def test_what_is_no_archive_is_refused(archive):
    assert refused(archive)


def test_an_archive_that_is_too_large_is_refused_before_it_is_opened(monkeypatch):
    monkeypatch.setattr(package, "LARGEST_ARCHIVE_BYTES", 10)

    assert "10 are allowed" in refused(zipped(RIGHT))["package"][0]


@pytest.mark.parametrize(
    ("files", "field", "words"),
    [
        ({"index.js": b""}, "manifest.json", "no manifest.json"),
        ({"my-plugin/manifest.json": MANIFEST, "my-plugin/index.js": b""}, "manifest.json", "my-plugin/manifest.json"),
        ({"manifest.json": b"{", "index.js": b""}, "manifest.json", "not valid JSON"),
        ({"manifest.json": b'{"name": "a1", "name": "b1", "version": "1.0.0"}', "index.js": b""}, "manifest.json", "'name' is there twice"),
        ({"manifest.json": b"\xff\xfe", "index.js": b""}, "manifest.json", "UTF-8"),
        ({"manifest.json": b"[" * 100_000, "index.js": b""}, "manifest.json", "not valid JSON"),
        ({"manifest.json": b"[]", "index.js": b""}, "manifest.json", "object"),
        ({"manifest.json": MANIFEST, "main.js": b""}, "entrypoints.main", "'index.js'; at its root are: main.js, manifest.json"),
        ({"manifest.json": b'{"name": "a1", "version": "one"}', "index.js": b""}, "version", "semantic version"),
    ],
)
def test_a_package_without_a_right_manifest_or_main_file_says_what_is_missing(files, field, words):
    assert words in refused(zipped(files))[field][0]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.(js|css|txt)", fullmatch=True), st.binary(max_size=200), max_size=8))
def test_what_is_packed_comes_out_whichever_way_it_was_packed(files):
    files = {**files, **RIGHT}

    assert package.read(zipped(files)).files == files
    assert package.read(tarred(files)).files == files


@settings(deadline=None)
@given(st.data())
def test_a_damaged_archive_is_refused_or_read_and_never_breaks_the_reader(data):
    archive = bytearray(data.draw(st.sampled_from([zipped(RIGHT), tarred(RIGHT)])))
    for position in data.draw(st.lists(st.integers(0, len(archive) - 1), min_size=1, max_size=6)):
        archive[position] = data.draw(st.integers(0, 255))

    try:
        read = package.read(bytes(archive))
    except PackageInvalid:
        return
    assert read.manifest.main in read.files


def test_the_bundle_is_the_package_with_the_shim_and_the_same_each_time():
    read = package.read(zipped({**RIGHT, "lib/a.js": b"1"}))

    bundle = package.code_bundle(read)

    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        assert set(opened.namelist()) == {"index.js", "lib/a.js", "manifest.json", "streamspace_shim.js"}
        assert b"streamspace/runtime" in opened.read("streamspace_shim.js")
        assert all(entry.external_attr >> 16 & 0o777 == 0o644 for entry in opened.infolist())
    assert bundle == package.code_bundle(package.read(tarred({"lib/a.js": b"1", **RIGHT})))


def test_a_python_plugin_gets_the_python_shim():
    manifest = json.dumps({"name": "ledger", "version": "1.0.0", "runtime": "python"}).encode()

    bundle = package.code_bundle(package.read(zipped({"manifest.json": manifest, "plugin.py": b""})))

    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        compile(opened.read("streamspace_shim.py"), "streamspace_shim.py", "exec")


@pytest.mark.parametrize(
    ("about", "shim"),
    [
        (b'{"type": "module"}', "streamspace_shim.mjs"),
        (b'{"type": "commonjs"}', "streamspace_shim.js"),
        (b"{}", "streamspace_shim.js"),
        (b"[]", "streamspace_shim.js"),
        (b"{", "streamspace_shim.js"),
        (b"\xff", "streamspace_shim.js"),
    ],
)
def test_a_package_whose_scripts_are_es_modules_gets_a_shim_that_is_one(about, shim):
    bundle = package.code_bundle(package.read(zipped({**RIGHT, "package.json": about})))

    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        assert [name for name in opened.namelist() if "shim" in name] == [shim]


@pytest.mark.parametrize("name", ["Streamspace_Shim.js", "streamspace_shim.mjs", "streamspace_shim.py"])
def test_a_package_that_brings_its_own_shim_is_refused(name):
    assert name.lower() in refused(zipped({**RIGHT, name: b""}))


def test_a_theme_may_be_a_theme_json_and_no_code():
    about = json.dumps({"name": "night", "version": "1.0.0", "type": "theme"}).encode()
    read = package.read(zipped({"manifest.json": about, "theme.json": b"{}"}))

    bundle = zipfile.ZipFile(io.BytesIO(package.code_bundle(read)))

    assert bundle.read("index.js") == b"module.exports = { theme: require('./theme.json') };\n"
    assert "entrypoints.main" in refused(zipped({"manifest.json": MANIFEST, "theme.json": b"{}"}))


def test_its_migrations_are_read_with_it_and_refused_with_it():
    up = [{"op": "create_table", "table": "notes", "key": {"partition": "id"}}]
    read = package.read(zipped({**RIGHT, "migrations/0001_tables.json": json.dumps({"up": up}).encode()}))

    assert [one.title for one in read.migrations] == ["0001_tables"]
    assert list(refused(zipped({**RIGHT, "migrations/0001_tables.json": b"{}"}))) == ["migrations/0001_tables.json: up"]


def test_what_needs_a_licence_is_premium_whether_it_says_so_or_not():
    paid = json.dumps({"name": "invoice-manager", "version": "1.0.0", "requires_license": True}).encode()

    manifest = package.read(zipped({**RIGHT, "manifest.json": paid})).manifest

    assert (manifest.requires_license, manifest.is_premium) == (True, True)
