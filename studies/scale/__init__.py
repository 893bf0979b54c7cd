"""How time and memory grow with the number of images and with their size
(``python -m studies.scale``)."""
