"""XML that is not trusted, such as annotations of VOC and CVAT."""

import xml.etree.ElementTree as ElementTree


def parse_xml(content: bytes) -> ElementTree.Element:
    """The outermost element.

    Raises:
        ValueError: not XML, or with a document type or entities, which could expand without bound.
    """
    plain = content.replace(b"\0", b"")  # UTF-16 too
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise ValueError("document types and entities are not accepted")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"not valid XML: {error}") from None


def kind(element: ElementTree.Element) -> str:
    """Name of an element without its name space, in small letters."""
    return str(element.tag).rpartition("}")[2].lower()
