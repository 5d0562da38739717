"""Figures for a journal, as deterministic SVG and PNG, and the reports that hold them.

Values in, a `Drawing` out: `Drawing.svg()` and `Drawing.png()` give bytes. Import the modules themselves; each draws
one kind of figure: `flow`, `lasso`, `features`, `roc`, `calibration`, `nomogram`, `decision`, `patients`, `love`,
`forest`, `scores`, `survival`, `alluvial`, `proportions`; `canvas` has the sheet, its style
and panels, `report` the HTML file.
"""
