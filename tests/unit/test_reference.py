"""The generated documentation."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from lens_exporter import reference
from lens_exporter.config.file import read
from lens_exporter.config.settings import Config
from lens_exporter.lenses import catalog

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documents_in_the_repository_are_up_to_date(capsys):
    """Whoever changes a metric, an event or a setting runs `make docs`."""
    assert reference.main([str(DOCS), "--check"]) == 0, capsys.readouterr().err


def test_a_document_that_drifted_fails_the_check_and_is_mended_by_writing(tmp_path, capsys):
    """--check names the file and changes nothing; without it the file is written."""
    assert reference.main([str(tmp_path)]) == 0
    (tmp_path / "events.md").write_text("old")
    assert reference.main([str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/events.md is not up to date: run make docs\n"
    assert (tmp_path / "events.md").read_text() == "old"
    assert reference.main([str(tmp_path)]) == 0
    assert reference.main([str(tmp_path), "--check"]) == 0


def test_the_example_is_a_configuration_that_loads():
    """What a reader copies works."""
    config = read(reference.EXAMPLE, Path("lens.yml"), catalog.lens_options())
    assert [watcher.name for watcher in config.watchers] == ["host", "python", "beam", "checkout"]


def models(model: type[BaseModel]):
    yield from (model for _, model in reference._sections())


@pytest.mark.parametrize("model", list(models(Config)), ids=lambda model: model.__name__)
def test_every_setting_says_what_it_means(model):
    """Each section has a heading, each key a line and a description."""
    text = reference.configuration()
    assert model.__doc__
    assert model.__doc__ != BaseModel.__doc__
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        assert re.search(rf"^\| `{name}` \| .* \| .* \| {re.escape(field.description[:20])}", text, re.MULTILINE)


def test_links_between_sections_lead_somewhere():
    """Each link's target is a heading."""
    text = reference.configuration()
    targets = {
        "#" + re.sub(r"[^a-z0-9_-]", "", line[3:].lower().replace(" ", "-")) for line in text.splitlines() if line.startswith("## ")
    }
    assert set(re.findall(r"\]\((#[^)]*)\)", text)) <= targets
