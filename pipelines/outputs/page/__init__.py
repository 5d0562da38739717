"""One page that shows the result of a case to a PACS that shows nothing else: pictures, prediction, measurements."""
