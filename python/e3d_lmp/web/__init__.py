"""Pages for a browser, each one file with nothing from outside.

====================  ======================================================================================
`report`              all that a folder of results holds, or a scaling series of folders
`report_sections`     the sections of a folder
`report_series`       the sections of a series
`report_html`         the text of a report, from ``assets/report.html``
`page`                D-A maps that are linked to structures
`page_html`           the text of such a page, from ``assets/``
`bond_sample`         which bonds it shows
`surroundings`        the atoms around them
====================  ======================================================================================
"""
