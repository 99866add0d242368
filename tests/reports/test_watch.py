"""Watching a training: the page follows, the bits stay, the server ends."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.reports.contents import RunContents
from chainrule.reports.html.document import Section
from chainrule.reports.html.markup import element
from chainrule.reports.watch import Watch
from chainrule.train.progress import Silent


def trained(progress):
    cr.random.manual_seed(0)
    inputs = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    network = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 2))
    data = (inputs, (inputs[:, 0] > 0).astype(np.int64))
    cr.train.fit(network, optim.Adam(network.parameters()), data=data, epochs=3, batch_size=16, progress=progress)
    return network.state_dict()


def state(watch, version=-1):
    request = urllib.request.Request(
        watch.url + "state", json.dumps({"version": version}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def test_the_page_follows_and_no_bit_changes():
    alone = trained(Silent())
    with Watch(RunContents("A run", (), {"seed": 0}), Silent()) as watch:
        with urllib.request.urlopen(watch.url, timeout=300) as page:
            assert "A run" in page.read().decode()
        watched = trained(watch)
        seen = state(watch)
        assert seen["progress"]["epoch"] == 3 and len(watch.rows) == 3
        curves = next(each for each in seen["sections"] if each["name"] == "curves")
        data = json.loads(curves["html"].split('class="data">')[1].split("</script>")[0])
        assert data["series"][0] == [row["loss"] for row in watch.rows]
        assert state(watch, seen["version"])["sections"] == []
    assert all(np.array_equal(alone[name], array) for name, array in watched.items())


def test_the_end_is_shown_and_the_server_stops():
    with Watch(RunContents("A run", (), {}), Silent()) as watch:
        watch.finish([Section("credit", "Credit", element("p", "all of it"))])
        assert [each["name"] for each in state(watch)["sections"]] == ["credit"]
        watch._asked = -100.0  # no page is open: nothing to wait for
    with pytest.raises(urllib.error.URLError):
        state(watch)
