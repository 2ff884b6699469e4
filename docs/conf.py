"""Sphinx builds the site from the pages of this folder, the docstrings, and doxygen's reading of the C++ headers."""

import os
from pathlib import Path

root = Path(__file__).resolve().parent.parent

project = "tangra"
author = "the authors of tangra"
version = release = (root / "VERSION").read_text().strip()
copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "breathe"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"

# What doxygen wrote, in scripts/docs.sh.
breathe_projects = {"tangra": os.environ["TANGRA_DOXYGEN_XML"]}
breathe_default_project = "tangra"
cpp_index_common_prefix = ["tangra::"]

html_theme = "alabaster"
html_theme_options = {"description": "Exact derivatives of networks, and their kernels", "page_width": "1100px",
                      "fixed_sidebar": False}
html_title = f"tangra {version}"
html_copy_source = False
html_show_sourcelink = False


def rewritten(app, name, source):
    """Links as they are in the repository, for the site: src/README.md is its page `pipeline`."""
    if name == "pipeline":
        source[0] = (root / "src" / "README.md").read_text().replace("](../docs/", "](")
    source[0] = source[0].replace("../src/README.md", "pipeline.md")


def without_foreign_docstrings(app, what, name, obj, options, lines):
    """scikit-learn gives estimators methods whose docstrings refer to pages of its own."""
    if what == "method" and name.rsplit(".", 1)[-1] in ("set_score_request", "set_fit_request", "set_predict_request"):
        lines[:] = ["See scikit-learn's user guide on metadata routing."]


def setup(app):
    app.connect("source-read", rewritten)
    app.connect("autodoc-process-docstring", without_foreign_docstrings)
