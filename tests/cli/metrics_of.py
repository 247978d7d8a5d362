"""Metrics of servers, over HTTP."""
import json
import urllib.request


def total_of(addresses, name, table_id=None):
    """The sum of a metric over all entities of these servers, or over those of a table."""
    total = 0
    for address in addresses:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as reply:
            for entity in json.load(reply)["entities"]:
                if table_id in (None, entity["attributes"].get("table_id")):
                    total += sum(metric["value"] for metric in entity["metrics"] if metric["name"] == name)
    return total


def uploaded_bytes(cluster):
    """What the servers have sent to block stores since they were started, by their own count."""
    return total_of(cluster.replicas, "backup_file_upload_total_bytes")
