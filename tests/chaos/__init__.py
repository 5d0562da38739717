"""The node under kills, a moody PACS and impatient senders, and an auditor who counts afterwards."""
