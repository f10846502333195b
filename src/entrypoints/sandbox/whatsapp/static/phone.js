// The phone page: asks every second for news of one chat, draws both sides, sends what is typed.
"use strict";

(() => {
  const page = document.body;
  const { account, waId, name } = page.dataset;
  const t = (key) => page.getAttribute(`data-t-${key.replaceAll("_", "-")}`) ?? key;
  const at = (id) => document.getElementById(id);
  const language = document.documentElement.lang;
  const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hour12: false });
  const calendar = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short" });
  const dayOf = (date) => calendar.format(date).replaceAll(",", "");

  for (const button of document.querySelectorAll("[data-tab]")) {
    button.addEventListener("click", () => {
      page.dataset.view = button.dataset.tab;
      for (const each of document.querySelectorAll("[data-tab]")) each.setAttribute("aria-pressed", String(each === button));
      if (button.dataset.tab === "chat") toEnd();
    });
  }
  if (!account) {
    return;
  }

  const control = "/whatsapp/control";
  const chatPath = `${control}/chats/${account}/${waId}`;
  let version = "";
  let lastEntry = 0;
  let unread = false;

  const make = (tag, className, ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  };
  const icon = (id) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `/static/icons.svg#${id}`);
    svg.append(use);
    return svg;
  };
  const anchor = (href, className, ...children) => {
    const node = make("a", className, ...children);
    node.href = /^(https?:|tel:|\/)/.test(href) ? href : "#";
    if (href.startsWith("http")) node.target = "_blank";
    node.rel = "noopener noreferrer";
    return node;
  };
  const linked = (text) =>
    text.split(/(https?:\/\/\S+)/).map((part, index) => (index % 2 ? anchor(part, "", part) : part));

  const post = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  };
  const write = async (content) => {
    try {
      await post(`${control}/inbound`, { phone_number_id: account, from: waId, name, ...content });
      at("problem").hidden = true;
      await look();
      toEnd();
      return true;
    } catch {
      complain(t("not_sent"));
      return false;
    }
  };
  const complain = (text) => {
    at("problem").textContent = text;
    at("problem").hidden = false;
  };

  function mediaOf(media) {
    const label = t(media.kind);
    if (media.link.startsWith("/") && (media.kind === "image" || media.kind === "sticker")) {
      const image = make("img");
      image.src = media.link;
      image.alt = media.filename ?? label;
      image.addEventListener("load", () => stayAtEnd());
      return anchor(media.link, "", image);
    }
    const size = media.size ? ` · ${(media.size / 1024).toLocaleString(language, { maximumFractionDigits: 0 })} KB` : "";
    const words = make("span", "", make("strong", "", media.filename ?? label), make("small", "quiet", `${t("download")}${size}`));
    const chip = anchor(media.link, "chip", icon("file"), words);
    if (media.link.startsWith("/")) chip.download = media.filename ?? "";
    return chip;
  }

  function placeOf(place) {
    const where = place.address ?? place.name ?? `${place.latitude}, ${place.longitude}`;
    const href = `https://www.openstreetmap.org/?mlat=${place.latitude}&mlon=${place.longitude}&zoom=16`;
    return anchor(href, "chip", icon("map-pin"), make("span", "", make("strong", "", where), make("small", "quiet", t("see_map"))));
  }

  function actionOf(button, message) {
    if (button.kind === "url" || button.kind === "call") return anchor(button.url, "", icon("link"), button.title);
    const node = make("button", "", icon(button.kind === "send_location" ? "map-pin" : "reply"));
    node.type = "button";
    const title = button.kind === "send_location" ? t("send_location") : button.title;
    node.append(make("span", "", title, button.description ? make("small", "", button.description) : null));
    const context = { message_id: message.id };
    node.addEventListener("click", () => {
      if (button.kind === "send_location") at("attach").open = true;
      else if (button.kind === "copy") navigator.clipboard.writeText(button.id).then(() => (node.textContent = t("copied")));
      else if (button.kind === "quick_reply") write({ button: { payload: button.id, text: button.title }, context });
      else {
        const kind = button.kind === "list_row" ? "list_reply" : "button_reply";
        const reply = { id: button.id, title: button.title };
        if (button.description) reply.description = button.description;
        write({ interactive: { type: kind, [kind]: reply }, context });
      }
    });
    return node;
  }

  function stateOf(message) {
    const word = t(`status_${message.status}`);
    if (message.direction === "out") {
      return message.status === "failed" ? make("span", "state bad", icon("alert"), `${t("not_arrived")} ${message.error}`) : null;
    }
    if (message.status === "retrying" || message.status === "failed") {
      const node = make("span", "state warn", icon("alert"), word);
      node.title = message.error ?? "";
      return node;
    }
    const icons = { pending: "clock", delivered: "check", read: "check-check" };
    return make("span", "state", icon(icons[message.status]), word);
  }

  function bubbleOf(message, byId, reactions) {
    const node = make("li", `bubble ${message.direction}${message.status === "failed" ? " failed" : ""}`);
    const quoted = byId.get(message.quotes);
    if (quoted) node.append(make("div", "quoted", quoted.text ?? quoted.type));
    if (message.header) node.append(make("div", "header", message.header));
    if (message.media) node.append(mediaOf(message.media));
    if (message.location) node.append(placeOf(message.location));
    if (message.text) node.append(make("div", "text", ...linked(message.text)));
    if (!message.text && !message.media && !message.location) node.append(make("div", "text quiet", `${t("unsupported")} ${message.type}`));
    if (message.footer) node.append(make("div", "footer", message.footer));
    const state = stateOf(message);
    const kind = message.template ? make("span", "", `${t("template")} ${message.template} ·`) : null;
    node.append(make("div", "meta", kind, make("time", "", clock.format(new Date(message.at))), state));
    if (message.buttons?.length) node.append(make("div", "actions", ...message.buttons.map((each) => actionOf(each, message))));
    const emoji = reactions.get(message.id);
    if (emoji) node.append(make("span", "reaction", emoji));
    return node;
  }

  function draw(chat) {
    const follow = isAtEnd();
    const byId = new Map(chat.messages.map((each) => [each.id, each]));
    const reactions = new Map();
    const nodes = [];
    let day = "";
    for (const each of chat.messages) if (each.reaction) reactions.set(each.reaction.message_id, each.reaction.emoji);
    for (const each of chat.messages) {
      if (each.reaction) continue;
      const date = new Date(each.at);
      const its = date.toDateString();
      if (its !== day) nodes.push(make("li", "day", its === new Date().toDateString() ? t("today") : dayOf(date)));
      day = its;
      nodes.push(bubbleOf(each, byId, reactions));
    }
    at("chat").replaceChildren(...nodes);
    at("chat").hidden = !nodes.length;
    at("empty").hidden = nodes.length > 0;
    const closes = chat.windowClosesAt ? new Date(chat.windowClosesAt) : null;
    if (!closes) at("window").textContent = t("window_never");
    else if (closes <= new Date()) at("window").textContent = t("window_closed");
    else at("window").textContent = `${t("window_open")} ${dayOf(closes)}, ${clock.format(closes)}`;
    unread = chat.messages.some((each) => each.direction === "out" && each.status === "delivered");
    if (follow) toEnd();
  }

  const isAtEnd = () => at("chat").scrollHeight - at("chat").scrollTop - at("chat").clientHeight < 80;
  const toEnd = () => at("chat").scrollTo({ top: at("chat").scrollHeight });
  const stayAtEnd = () => {
    const chat = at("chat");
    if (chat.scrollHeight - chat.scrollTop - chat.clientHeight < 400) toEnd();
  };

  const pretty = (text) => {
    if (!text) return t("nothing");
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };
  const gistOf = (text) => {
    try {
      const body = JSON.parse(text);
      const value = body.entry?.[0]?.changes?.[0]?.value;
      const message = value?.messages?.[0];
      const status = value?.statuses?.[0];
      if (message) return `${message.type}: ${message.text?.body ?? message.button?.text ?? message.id}`;
      if (status) return `status: ${status.status}`;
      if (body.status === "read") return "status: read";
      if (body.template) return `template: ${body.template.name}`;
      return body.text?.body ?? body.type ?? body.name ?? "";
    } catch {
      return text;
    }
  };

  function entryOf(entry) {
    const outward = entry.direction === "to_product";
    const good = entry.status !== null && entry.status < 400;
    const direction = make("strong", "", t(entry.direction));
    const status = make("span", `tag ${good ? "good" : "bad"}`, entry.status === null ? t("no_answer") : String(entry.status));
    const time = make("time", "", clock.format(new Date(entry.at)));
    const gist = make("span", "gist", make("code", "", entry.title), ` ${gistOf(entry.body)}`);
    const head = make("summary", "", icon(outward ? "arrow-up" : "arrow-down"), direction, status, time, gist);
    const details = make("details", "", head);
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      details.append(make("h4", "", t("request")), make("pre", "", pretty(entry.body)));
      details.append(make("h4", "", t("answer")), make("pre", "", pretty(entry.answer)));
    });
    return make("li", "", details);
  }

  async function look() {
    const answer = await fetch(`${chatPath}?after=${version}`);
    if (answer.status === 200) {
      const chat = await answer.json();
      if (chat.version !== version) draw(chat);
      version = chat.version;
      const log = await (await fetch(`${control}/log?account=${account}&wa_id=${waId}&after=${lastEntry}`)).json();
      for (const entry of log.items) {
        if (entry.id <= lastEntry) continue;
        at("payloads").prepend(entryOf(entry));
        lastEntry = entry.id;
      }
      at("raw-empty").hidden = lastEntry > 0;
    } else if (!answer.ok) {
      throw new Error(`${answer.status}`);
    }
    const visible = document.visibilityState === "visible" && at("chat").clientHeight > 0;
    if (unread && visible) {
      unread = false;
      await post(`${chatPath}/read`, {});
    }
  }

  async function live() {
    try {
      await look();
      at("offline").hidden = true;
    } catch {
      at("offline").hidden = false;
    }
    setTimeout(live, 1000);
  }

  const box = at("message");
  const grow = () => {
    box.rows = Math.min(5, Math.max(1, box.value.split("\n").length, Math.ceil(box.value.length / 34)));
  };
  const say = async () => {
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    grow();
    if (!(await write({ text }))) box.value = text;
  };
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    say();
  });
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      say();
    }
  });
  at("example").addEventListener("click", () => {
    box.value = at("example").textContent;
    grow();
    box.focus();
  });
  at("send-location").addEventListener("click", async () => {
    const latitude = Number(at("latitude").value.replace(",", "."));
    const longitude = Number(at("longitude").value.replace(",", "."));
    const address = at("place").value.trim();
    if (await write({ location: { latitude, longitude, ...(address ? { address } : {}) } })) at("attach").open = false;
  });
  at("file").addEventListener("change", () => {
    const file = at("file").files[0];
    if (!file) return;
    if (file.size > 5 * 1024 * 1024) {
      complain(t("too_big"));
      return;
    }
    const reader = new FileReader();
    reader.addEventListener("load", async () => {
      const kind = ["image", "audio", "video"].find((each) => file.type.startsWith(each)) ?? "document";
      const data = String(reader.result).split(",")[1];
      const sent = await write({ [kind]: { data, mime_type: file.type || "application/octet-stream", filename: file.name } });
      at("file").value = "";
      if (sent) at("attach").open = false;
    });
    reader.readAsDataURL(file);
  });

  live();
})();
