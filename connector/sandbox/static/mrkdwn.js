// Slack's mrkdwn to DOM nodes. Text never becomes HTML: names of leads are hostile here on purpose.

const EMOJI = {
  fire: "🔥", white_check_mark: "✅", x: "❌", warning: "⚠️", bell: "🔔", star: "⭐", rocket: "🚀", eyes: "👀", wave: "👋",
  chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", robot_face: "🤖", sparkles: "✨", bulb: "💡", clock1: "🕐",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", arrow_up: "⬆️", arrow_down: "⬇️", arrow_upper_right: "↗️", arrow_lower_right: "↘️",
  arrow_right: "➡️", large_green_circle: "🟢", large_yellow_circle: "🟡", large_orange_circle: "🟠", red_circle: "🔴",
  large_blue_circle: "🔵", white_circle: "⚪", handshake: "🤝", trophy: "🏆", no_entry: "⛔", inbox_tray: "📥", email: "📧",
  heavy_plus_sign: "➕", heavy_minus_sign: "➖", small_red_triangle: "🔺", small_red_triangle_down: "🔻", dart: "🎯", zap: "⚡",
};

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
export const emojied = (text) => plain(text).replace(/:([a-z0-9_+-]+):/g, (all, name) => EMOJI[name] ?? all);

export const plainText = (object) => (object.emoji === false ? plain(object.text) : emojied(object.text));

function angle(inside, people, channels) {
  const [target, label] = inside.split("|");
  if (target.startsWith("@")) return el("span", { class: "mention" }, "@" + (people[target.slice(1)]?.name ?? target.slice(1)));
  if (target.startsWith("#")) return el("span", { class: "mention" }, "#" + (channels[target.slice(1)]?.name ?? target.slice(1)));
  if (target.startsWith("!date^")) {
    const [, seconds, format] = target.slice(1).split("^");
    const at = new Date(Number(seconds) * 1000);
    const words = (format ?? "{date}")
      .replace(/\{date[a-z_]*\}/g, at.toLocaleDateString())
      .replace(/\{time[a-z_]*\}/g, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }))
      .replace(/\{ago\}/g, "just now");
    return document.createTextNode(isNaN(at) ? label ?? "" : words);
  }
  if (target.startsWith("!")) return el("span", { class: "mention" }, "@" + target.slice(1));
  if (/^(https?|mailto|tel):/.test(target)) return el("a", { href: target, target: "_blank", rel: "noopener" }, plain(label ?? target));
  return document.createTextNode(plain("<" + inside + ">"));
}

const SPAN = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])|(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])|(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])/g;

function inline(text, people, channels, into) {
  let last = 0;
  for (const match of text.matchAll(SPAN)) {
    if (match.index > last) into.append(emojied(text.slice(last, match.index)));
    const [, pre, code, link, bold, italic, strike] = match;
    if (pre != null) into.append(el("pre", {}, plain(pre)));
    else if (code != null) into.append(el("code", {}, plain(code)));
    else if (link != null) into.append(angle(link, people, channels));
    else {
      const node = el(bold != null ? "strong" : italic != null ? "em" : "s");
      inline(bold ?? italic ?? strike, people, channels, node);
      into.append(node);
    }
    last = match.index + match[0].length;
  }
  if (last < text.length) into.append(emojied(text.slice(last)));
}

export function mrkdwn(text, people = {}, channels = {}) {
  const whole = el("div", { class: text.length > 1500 ? "long" : "" });
  const lines = text.split("\n");
  lines.forEach((line, number) => {
    const quoted = line.startsWith("&gt;") || line.startsWith("> ");
    const place = quoted ? el("blockquote") : whole;
    inline(quoted ? line.replace(/^(&gt;|>)\s?/, "") : line, people, channels, place);
    if (quoted) whole.append(place);
    else if (number < lines.length - 1) whole.append(el("br"));
  });
  return whole;
}

export function textObject(object, people, channels) {
  if (!object) return "";
  return object.type === "mrkdwn" ? mrkdwn(object.text, people, channels) : el("span", {}, plainText(object));
}
