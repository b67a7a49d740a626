from lens_exporter.exposition.html import Html, document, el, link


def test_text_becomes_text_wherever_it_is_put():
    """A hostile label is escaped as a child, in a list of children and as an attribute."""
    evil = "<script>alert('x')</script>\" onload=\"y"
    written = el("p", evil, [evil, [evil]], title=evil).text
    assert "<script" not in written
    assert 'onload="' not in written
    assert written.count("&lt;script&gt;") == 4


def test_only_finished_markup_passes_unescaped():
    """Elements nest; nothing else is taken for markup."""
    assert el("p", el("b", "x"), Html("<br>"), "<br>").text == "<p><b>x</b><br>&lt;br&gt;</p>"


def test_a_link_leads_to_the_web_or_to_us_and_nowhere_else():
    """Addresses that would run code or carry data stay text."""
    assert link("https://example.com/x", "go").text == '<a href="https://example.com/x">go</a>'
    assert link("../anomalies/01JD?x=a:b", "go").text.startswith("<a ")
    assert link("#r2", "r2").text.startswith("<a ")
    for address in ("javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", " javascript:alert(1)", "vbscript:x"):
        assert link(address, "go").text == "<span>go</span>"


def test_a_page_survives_text_no_encoding_has():
    """A lone surrogate in a label does not cost the page."""
    assert b"?" in document(el("p", "\ud800"))


def test_one_text_cannot_fill_the_page():
    """A label of a megabyte is clipped."""
    assert len(el("p", "x" * 1_000_000).text) < 3000


def test_void_elements_and_absent_attributes():
    """<meta> has no end tag, an attribute of None is not written, underscores become dashes."""
    assert el("meta", http_equiv="refresh", content=None).text == '<meta http-equiv="refresh">'


def test_an_arrow_is_not_broken():
    """From 61 to 1,480 is not from 61 minus: of texts, not of attributes."""
    assert el("p", "61 -> 5", title="a -> b").text == '<p title="a -&gt; b">61 <span class="arrow">-&gt;</span> 5</p>'
    assert el("title", "61 -> 5").text == "<title>61 -&gt; 5</title>"
