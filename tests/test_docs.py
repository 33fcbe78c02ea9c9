"""The site builds without a warning, and needs nothing from another host."""

import re
import subprocess
import sys

import pytest

from tests.helpers.golden import ROOT


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Build the site: broken links, absent pages and bad docstrings are errors."""
    out = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-W', 'ignore', '-m', 'sphinx', '-W']
    result = subprocess.run(
        [*command, '--keep-going', '-q', '-c', 'docs', '.', str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-6000:]
    return out


@pytest.mark.slow
def test_no_page_loads_anything_from_another_host(site):
    pages = list(site.rglob('*.html'))
    assert len(pages) > 30 and (site / 'index.html').is_file()
    loaded = r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*'
    for page in pages:
        assert not re.findall(loaded, page.read_text()), page
    for sheet in site.rglob('*.css'):
        assert not re.findall(
            r'(?:url\(|@import)\s*["\']?(?:https?:)?//', sheet.read_text()
        )


@pytest.mark.slow
def test_equations_are_mathml_and_names_are_links(site):
    method = (site / 'docs' / 'method.html').read_text()
    assert method.count('<math') > 10 and 'class="math"' in method
    for page in site.rglob('*.html'):  # what the converter does not know, it copies
        assert not re.search(r'<m[io]>(&<|\\)', page.read_text()), page
    assert (
        'api/ifdd_mmaction.models.necks.html#ifdd_mmaction.models.necks.LADM' in method
    )


@pytest.mark.slow
def test_the_reference_has_every_exported_name(site):
    import ifdd_mmaction.datasets
    import ifdd_mmaction.models.necks

    for package in (ifdd_mmaction.datasets, ifdd_mmaction.models.necks):
        page = (site / 'docs' / 'api' / f'{package.__name__}.html').read_text()
        for name in package.__all__:
            if name[0].isupper():
                assert f'id="{package.__name__}.{name}"' in page, name
