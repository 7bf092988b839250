"""What a reader sees: everything that `reports/` holds is written here, from files that earlier stages left.

results.py     read what the suite names of one data set: rows, data card, lock
sections.py    what a report asks, in its order
tables.py      numbers in text: table.csv, and the same lines as Markdown, LaTeX, HTML and plain text
figures.py     the table of contents of a data set's figures; a file an idea draws them on canvas.py
lecture.py     the table of contents of the figures of no data set: ring.py, divergences.py, ranks.py
page.py        a data set's section, and the page that joins the sections
origins.py     what the report was made of, by checksum
templates.py   how text becomes a file; templates/ holds the wording
"""
