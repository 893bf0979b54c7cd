"""The pages as a site: ``make docs``."""

import hfpl

project = "hfpl"
author = "The hfpl developers"
version = release = hfpl.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "attrs_inline", "colon_fence"]
# Anchors as GitHub makes them: the pages are read there, too.
myst_heading_anchors = 4
# The section of a function's tensors.
napoleon_custom_sections = [("Shape", "params_style")]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
add_module_names = False
html_theme = "furo"
html_title = f"hfpl {version}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
