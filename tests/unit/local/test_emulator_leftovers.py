from local.emulator import set_aside


def test_what_a_killed_start_left_is_out_of_the_way_at_once_and_again(tmp_path):
    folder, leftovers = tmp_path / "tmp", tmp_path / "leftovers"
    for name in ("first", "second"):
        (folder / "function").mkdir(parents=True)
        (folder / "function" / name).write_text("x")

        set_aside(folder, leftovers)

        assert not folder.exists()
    assert sorted(path.name for path in leftovers.glob("*/function/*")) == ["first", "second"]


def test_a_first_start_has_nothing_to_set_aside(tmp_path):
    set_aside(tmp_path / "tmp", tmp_path / "leftovers")

    assert not (tmp_path / "leftovers").exists()
