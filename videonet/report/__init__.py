"""What people look at: `write_report` makes report.html with its pictures from a test and its train log."""

from videonet.report.page import TestReport, VideoResult, write_report

__all__ = ["TestReport", "VideoResult", "write_report"]
