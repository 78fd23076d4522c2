from fixieai.cli.agent.source_watch import SourceWatch


def test_changed_new_and_removed_python_files_are_noticed_once(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("1")
    watch = SourceWatch(tmp_path)
    assert watch.changed() == []
    (tmp_path / "pack" / "a.py").write_text("22")
    (tmp_path / "b.py").unlink()
    (tmp_path / "c.py").write_text("1")
    assert watch.changed() == ["b.py", "c.py", "pack/a.py"]
    assert watch.changed() == []


def test_other_files_hidden_folders_and_environments_are_not_looked_at(tmp_path):
    watch = SourceWatch(tmp_path)
    (tmp_path / "data.txt").write_text("1")
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nothing")
    for folder in (".hidden", "__pycache__", "env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").write_text("1")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert watch.changed() == []
