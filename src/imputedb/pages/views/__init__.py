"""The views of the page, one module each: functions that build elements from public calls of a database."""
