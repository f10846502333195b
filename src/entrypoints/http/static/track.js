// Keeps the tracking page current: asks the page's own address for JSON, moves the marker, says what changed.
"use strict";

(() => {
  const EVERY = 5000; // ms between two questions, where nobody tells us
  const SILENT = 40000; // ms after which we ask although we are told
  const HIDDEN = 30000; // ms while nobody looks
  const SLOWEST = 60000; // ms at most after errors
  const SAY_EVERY = 30000; // ms between two spoken changes of the minutes alone
  const LEAP = 2000; // m: a marker does not glide farther than this
  const SLOW = 30000; // ms that a glide may take; a phone reports as often
  const LONG = 60000; // ms after which the time between two positions says nothing about the way
  const RINGS = [250, 500, 1000, 2000, 5000, 10000, 20000, 50000]; // m
  const ICONS = "/static/vendor/lucide/icons.svg#";
  const MODES = { driving: "car", walking: "footprints", stationary: "circle-pause" };

  const body = document.body;
  const texts = JSON.parse(body.dataset.texts);
  const scales = JSON.parse(body.dataset.scales);
  const decimalComma = document.documentElement.lang.startsWith("es");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const at = (id) => document.getElementById(id);
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: body.dataset.zone });
  const time = (instant) => clock.format(new Date(instant));
  const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

  let facts = JSON.parse(body.dataset.facts);
  let failures = 0;
  let timer = 0;
  let asking = false;
  let over = false;

  // Words: the same as words.py

  const minutes = (count) => {
    const hours = Math.floor(count / 60);
    if (!hours) return `${count} min`;
    return count % 60 ? `${hours} h ${count % 60} min` : `${hours} h`;
  };

  function headline() {
    const eta = facts.eta;
    if (facts.outcome) return texts[facts.outcome];
    if (facts.state === "arrived") return fill(texts.arrived, { time: time(facts.arrivedAt || facts.at) });
    if (!eta) return texts.on_the_way;
    if (eta.arriving) return texts.arriving;
    if (eta.lowMinutes === 0) return fill(texts.comes_within, { minutes: minutes(eta.highMinutes) });
    const interval = eta.highMinutes < 60
      ? `${eta.lowMinutes}-${eta.highMinutes} min`
      : fill(texts.range, { low: minutes(eta.lowMinutes), high: minutes(eta.highMinutes) });
    return fill(texts.comes_in, { minutes: interval });
  }

  function detail() {
    const eta = facts.eta;
    const later = (count) => time(Date.parse(facts.at) + count * 60000);
    if (facts.outcome) return fill(texts[`${facts.outcome}_detail`], { business: facts.business.name });
    if (facts.state === "arrived") return texts.at_the_door;
    if (!facts.updatedAt) return fill(texts.unplaced, { time: time(facts.setOutAt) });
    if (facts.state === "stale") return fill(texts.lost, { time: time(facts.updatedAt) });
    if (!eta) return texts.no_estimate;
    if (eta.arriving) return texts.near;
    if (eta.lowMinutes === 0) return fill(texts.before, { high: later(eta.highMinutes) });
    return fill(texts.between, { low: later(eta.lowMinutes), high: later(eta.highMinutes) });
  }

  function distance(metres) {
    const tens = Math.floor((metres + 5) / 10) * 10;
    if (tens < 1000) return `${tens} m`;
    const tenths = Math.floor((metres + 50) / 100);
    return `${Math.floor(tenths / 10)}${decimalComma ? "," : "."}${tenths % 10} km`;
  }

  function iconOfState() {
    if (facts.outcome === "cancelled") return "circle-x";
    if (facts.state === "arrived") return "circle-check-big";
    return facts.state === "stale" ? "wifi-off" : "navigation";
  }

  // The card

  const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const draw = (use, name) => { if (use.getAttribute("href") !== ICONS + name) use.setAttribute("href", ICONS + name); };
  let said = { kind: `${facts.state} ${Boolean(facts.eta?.arriving)}`, text: at("headline").textContent, when: Date.now() };

  function say(text, kind) {
    const urgent = kind !== said.kind;
    if (text === said.text || (!urgent && Date.now() - said.when < SAY_EVERY)) return;
    said = { kind, text, when: Date.now() };
    write(at("said"), text);
  }

  function paintCard() {
    body.dataset.state = facts.state;
    const line = headline();
    write(at("headline"), line);
    write(at("detail"), detail());
    document.title = `${line} · ${facts.business.name}`;
    write(at("state").lastElementChild, texts[`state_${facts.outcome || facts.state}`]);
    draw(at("state").querySelector("use"), iconOfState());
    at("mode").hidden = !facts.mode;
    if (facts.mode) {
      write(at("mode").lastElementChild, texts[`mode_${facts.mode}`]);
      draw(at("mode").querySelector("use"), MODES[facts.mode]);
    }
    at("closing").hidden = facts.distance === null;
    at("updated").hidden = !facts.updatedAt || facts.state === "stale" || failures > 0;
    if (facts.updatedAt) write(at("updated").lastElementChild, fill(texts.updated, { time: time(facts.updatedAt) }));
    at("offline").hidden = failures === 0;
    if (failures === 0) say(line, `${facts.state} ${Boolean(facts.eta?.arriving)}`);
  }

  const strip = document.querySelector(".strip");

  function paintStrip(metres) {
    const needed = scales.find((scale) => scale * 20 >= metres * 23) || metres * 1.15;
    const scale = Math.max(Number(strip.dataset.scale), needed);
    strip.dataset.scale = scale;
    const done = `${(100 * (1 - metres / scale)).toFixed(2)}%`;
    strip.querySelector(".done").setAttribute("x2", done);
    strip.querySelector(".here").setAttribute("cx", done);
    write(at("distance"), fill(texts.away, { distance: distance(Math.round(metres)) }));
  }

  // The map

  const tiles = body.dataset.tiles;
  const pane = at("map");
  const map = L.map(pane, { zoomControl: false, attributionControl: Boolean(tiles), zoomSnap: tiles ? 1 : 0.25, maxZoom: 18, minZoom: 3 });
  L.control.zoom({ position: "topright", zoomInTitle: texts.zoom_in, zoomOutTitle: texts.zoom_out }).addTo(map);
  if (tiles) {
    map.attributionControl.setPrefix(false);
    // Map servers want to know which site asks; the origin alone tells them, and not the link.
    L.tileLayer(tiles, {
      maxZoom: 19,
      referrerPolicy: "origin",
      attribution: '© <a href="https://www.openstreetmap.org/copyright" rel="noreferrer">OpenStreetMap</a>',
    }).addTo(map);
  } else {
    const grid = L.gridLayer({ tileSize: 96 });
    grid.createTile = () => L.DomUtil.create("div", "grid");
    grid.addTo(map);
  }

  function sign(kind, name, label, size) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", ICONS + name);
    svg.append(use);
    const html = document.createElement("span");
    html.append(svg);
    const icon = L.divIcon({ className: `sign ${kind}`, html, iconSize: [size, size] });
    const marker = L.marker([0, 0], { icon, interactive: false, keyboard: false, zIndexOffset: kind === "technician" ? 500 : 0 });
    marker.on("add", () => {
      marker.getElement().setAttribute("role", "img");
      marker.getElement().setAttribute("aria-label", label);
    });
    return marker;
  }

  const technician = sign("technician", MODES.driving, facts.technician, 44);
  const home = sign("home", "house", texts.address, 40);
  const way = L.polyline([], { className: "beeline", interactive: false });
  const rings = L.layerGroup().addTo(map);
  const names = new Map();
  let ringed = "";
  let shown = null; // where the marker is drawn now
  let target = null; // and where it glides to
  let aimed = 0; // since when
  let gliding = 0;
  let following = true;
  let framed = false; // nothing can be drawn before the map looks at something

  // Without tiles, rings of a known radius say how far is far.
  function paintRings(metres) {
    if (tiles) return;
    const radii = RINGS.filter((radius) => radius < Math.max(metres * 1.6, 600)).slice(-3);
    if (ringed === radii.join()) return;
    ringed = radii.join();
    rings.clearLayers();
    names.clear();
    for (const radius of radii) {
      L.circle(facts.destination, { radius, className: "ring", interactive: false }).addTo(rings);
      const html = document.createElement("span");
      html.textContent = radius < 1000 ? `${radius} m` : `${radius / 1000} km`;
      const icon = L.divIcon({ className: "ring-name", html, iconSize: [64, 20] });
      names.set(radius, L.marker(facts.destination, { icon, interactive: false, keyboard: false }).addTo(rings));
    }
    nameRings();
  }

  // A ring's name stands where the way crosses it, or in the north.
  function nameRings() {
    const middle = facts.destination;
    const away = shown ? map.distance(shown, middle) : 0;
    for (const [radius, name] of names) {
      const part = away > radius * 1.15 ? radius / away : 0;
      const north = L.latLng(middle).toBounds(radius * 2).getNorth();
      name.setLatLng(part
        ? { lat: middle.lat + (shown.lat - middle.lat) * part, lng: middle.lng + (shown.lng - middle.lng) * part }
        : { lat: north, lng: middle.lng });
    }
  }

  const same = (one, other) => Boolean(one && other) && one.lat === other.lat && one.lng === other.lng;

  function place(point) {
    shown = point;
    technician.setLatLng(point);
    if (!map.hasLayer(technician)) technician.addTo(map);
    if (!facts.destination) return;
    way.setLatLngs([point, facts.destination]);
    if (!map.hasLayer(way)) way.addTo(map);
    nameRings();
    if (facts.distance !== null) paintStrip(same(shown, facts.position) ? facts.distance : map.distance(point, facts.destination));
  }

  // A glide takes as long as it took the position to change, so that the marker moves on without resting.
  function glide(next) {
    if (same(shown, next)) return place(next);
    if (shown && same(target, next)) return;
    cancelAnimationFrame(gliding);
    const from = shown;
    const began = performance.now();
    const took = began - aimed;
    target = next;
    aimed = began;
    if (!from || still.matches || document.hidden || map.distance(from, target) > LEAP) return place(target);
    const length = took > LONG ? EVERY : Math.min(SLOW, Math.max(1000, took));
    const step = (now) => {
      const part = Math.min(1, Math.max(0, (now - began) / length));
      if (part === 1) return place(target);
      place({ lat: from.lat + (target.lat - from.lat) * part, lng: from.lng + (target.lng - from.lng) * part });
      gliding = requestAnimationFrame(step);
    };
    gliding = requestAnimationFrame(step);
  }

  function paintMap() {
    if (!framed) frame(true);
    if (facts.destination) {
      home.setLatLng(facts.destination);
      if (!map.hasLayer(home)) home.addTo(map);
      paintRings(facts.distance || 0);
    }
    if (facts.position) {
      const mode = technician.getElement()?.querySelector("use");
      glide(facts.position);
      draw(mode || technician.getElement().querySelector("use"), MODES[facts.mode] || "navigation");
    } else {
      cancelAnimationFrame(gliding);
      technician.remove();
      way.remove();
      shown = target = null;
      if (facts.destination) nameRings();
    }
    if (following) frame(false);
  }

  // Both ends of the trip stay in the part of the map that the card leaves free, until the reader moves the map.
  function frame(always) {
    const points = [facts.position, facts.destination].filter(Boolean);
    if (!points.length) return;
    const card = at("trip").getBoundingClientRect();
    const beside = card.right < innerWidth * 0.6;
    const right = beside ? 128 : 96; // the buttons are there
    const first = L.point((beside ? card.right : 0) + (points.length > 1 ? 48 : right), 64);
    const last = L.point(right, beside ? 64 : innerHeight - card.top + 40);
    const bounds = L.latLngBounds(points);
    const zoom = Math.min(16, map.getBoundsZoom(bounds, false, first.add(last)));
    const size = map.getSize();
    const room = L.bounds(first.subtract([24, 24]), size.subtract(last).add([24, 24]));
    const fits = framed && points.every((point) => room.contains(map.latLngToContainerPoint(point)));
    if (!always && fits && Math.abs(zoom - map.getZoom()) < 0.75) return;
    framed = true;
    map.fitBounds(bounds, { paddingTopLeft: first, paddingBottomRight: last, maxZoom: 16, animate: Boolean(shown) && !still.matches });
  }

  function letGo() {
    if (over || !following) return;
    following = false;
    at("recentre").hidden = false;
  }

  map.on("dragstart", letGo);
  pane.addEventListener("wheel", letGo, { passive: true });
  pane.addEventListener("dblclick", letGo);
  pane.addEventListener("touchstart", (event) => { if (event.touches.length > 1) letGo(); }, { passive: true });
  pane.addEventListener("keydown", (event) => { if (/^(Arrow|[-+])/.test(event.key)) letGo(); });
  pane.querySelector(".leaflet-control-zoom").addEventListener("click", letGo);
  at("recentre").addEventListener("click", () => {
    following = true;
    at("recentre").hidden = true;
    frame(true);
    pane.focus();
  });
  new ResizeObserver(() => { map.invalidateSize({ pan: false }); if (following) frame(false); }).observe(at("trip"));
  map.on("resize", () => { if (following) frame(true); });

  // The questions

  function end() {
    over = true;
    clearTimeout(timer);
    hush();
  }

  function gone(reason) {
    end();
    body.dataset.state = "gone";
    cancelAnimationFrame(gliding);
    for (const layer of [technician, way]) layer.remove();
    for (const id of ["mode", "closing", "updated", "offline"]) at(id).hidden = true;
    draw(at("state").querySelector("use"), reason === "expired" ? "timer-off" : "link-2-off");
    write(at("state").lastElementChild, texts[`${reason}_title`]);
    write(at("headline"), texts[`${reason}_title`]);
    write(at("detail"), `${texts[`${reason}_meaning`]} ${texts[`${reason}_next`]}`);
    at("state").hidden = true;
    document.title = texts[`${reason}_title`];
    say(texts[`${reason}_title`], reason);
  }

  function lost() {
    failures += 1;
    const known = time(facts.updatedAt || facts.at);
    at("updated").hidden = true;
    at("offline").hidden = false;
    write(at("offline").lastElementChild, fill(texts.offline, { time: known }));
    say(fill(texts.offline, { time: known }), "offline");
  }

  const done = () => facts.state === "arrived" || facts.state === "ended";

  function take(news) {
    facts = news;
    failures = 0;
    paintCard();
    paintMap();
    if (done()) end();
  }

  // We are told, if the server has room for us; what comes after a silence, we ask for.

  let source = null;
  let told = false;

  function hush() {
    source?.close();
    source = null;
    told = false;
  }

  function listen() {
    if (over || source || document.hidden || !window.EventSource) return;
    source = new EventSource(`${location.pathname}/events`);
    const heard = (take) => (event) => {
      told = true;
      failures = 0;
      if (event.data) take(JSON.parse(event.data));
      next();
    };
    source.addEventListener("trip", heard(take));
    source.addEventListener("gone", heard(gone));
    source.addEventListener("beat", heard(() => {}));
    source.addEventListener("error", () => {
      const cutOff = told;
      told = false;
      if (source.readyState === EventSource.CLOSED) hush(); // for good, or until they look again
      if (cutOff) ask();
    });
  }

  async function ask() {
    clearTimeout(timer);
    if (over || asking) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(15000) });
      if (answer.status === 410 || answer.status === 404) return gone(answer.status === 410 ? "expired" : "unknown");
      if (!answer.ok) throw new Error(String(answer.status));
      take(await answer.json());
    } catch {
      lost();
    } finally {
      asking = false;
    }
    next();
  }

  function next() {
    clearTimeout(timer);
    if (over) return;
    const pace = told ? SILENT : Math.min(SLOWEST, EVERY * 2 ** failures);
    timer = setTimeout(ask, document.hidden ? Math.max(HIDDEN, pace) : pace);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hush();
    else listen();
    if (document.hidden) next();
    else ask();
  });
  addEventListener("online", ask);
  addEventListener("offline", () => { if (!over && !failures) lost(); });

  paintMap();
  if (done()) {
    end();
  } else {
    listen();
    next();
  }
})();
