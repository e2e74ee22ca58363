// Block Kit: blocks and their elements as Slack draws them. `context` is {people, channels, press(action), values, wrong, suggest}.

import { el, emojied, plainText, textObject } from "./mrkdwn.js";

export function renderBlocks(blocks, context) {
  return el("div", { class: "blocks" }, ...blocks.map((block) => BLOCKS[block.type]?.(block, context)));
}

const BLOCKS = {
  header: (block) => el("div", { class: "b-header" }, plainText(block.text)),
  divider: () => el("hr", { class: "b-divider" }),
  image: (block) => el("div", { class: "b-context" }, "[image] " + (block.alt_text ?? "")),
  section: (block, context) => {
    const body = el("div", { class: "body" });
    if (block.text) body.append(textObject(block.text, context.people, context.channels));
    if (block.fields) body.append(el("div", { class: "b-fields" }, ...block.fields.map((field) => el("div", {}, textObject(field, context.people, context.channels)))));
    return el("div", { class: "b-section" }, body, block.accessory ? element(block.accessory, block, context) : null);
  },
  context: (block, context) =>
    el("div", { class: "b-context" }, ...block.elements.map((one) =>
      one.type === "image" ? el("img", { alt: one.alt_text, src: one.image_url }) : textObject(one, context.people, context.channels))),
  actions: (block, context) => el("div", { class: "b-actions" }, ...block.elements.map((one) => element(one, block, context))),
  input: (block, context) => el("div", { class: "b-input" },
    el("label", { class: "title" }, plainText(block.label), block.optional ? el("i", {}, " (optional)") : null),
    element(block.element, block, context, true),
    block.hint ? el("div", { class: "hint" }, emojied(block.hint.text)) : null,
    context.wrong?.[block.block_id] ? el("div", { class: "wrong" }, context.wrong[block.block_id]) : null),
  rich_text: (block) => el("div", { class: "plain" }, JSON.stringify(block.elements)),
};

function element(one, block, context, inInput = false) {
  const about = { type: one.type, action_id: one.action_id, block_id: block.block_id };
  const kept = context.values?.[block.block_id]?.[one.action_id];
  const keep = (value) => {
    if (!context.values) return;
    (context.values[block.block_id] ??= {})[one.action_id] = { type: one.type, ...value };
  };
  const act = (more) => { keep(more); if (!inInput || block.dispatch_action) context.press({ ...about, ...more }, one.confirm); };
  switch (one.type) {
    case "button":
      return button(one, about, context);
    case "overflow":
      return overflow(one, (option) => context.press({ ...about, selected_option: option }, one.confirm));
    case "static_select":
    case "multi_static_select":
      return select(one, kept?.selected_option ?? one.initial_option, keep, act);
    case "users_select":
      return people(one, kept?.selected_user ?? one.initial_user, context, keep, act);
    case "external_select":
      return external(one, block, context, kept?.selected_option ?? one.initial_option, keep, act);
    case "radio_buttons":
    case "checkboxes":
      return choices(one, block, kept, keep, act);
    default:
      return typed(one, kept?.value ?? kept?.selected_time ?? kept?.selected_date ?? one.initial_value ?? one.initial_date ?? one.initial_time ?? "", keep, act);
  }
}

function button(one, about, context) {
  const style = "btn" + (one.style ? " s-" + one.style : "");
  const press = (event) => context.press({ ...about, value: one.value ?? "", text: one.text }, one.confirm, event.currentTarget);
  const record = one.url?.match(/\/record\/0-1\/(\d+)/)?.[1];
  if (record && context.openRecord) {
    const show = (event) => { context.openRecord(record); press(event); };
    return el("button", { class: style, type: "button", onclick: show }, plainText(one.text));
  }
  if (one.url) return el("a", { class: style, href: /^https?:/.test(one.url) ? one.url : "#", target: "_blank", rel: "noopener", onclick: press }, plainText(one.text));
  return el("button", { class: style, type: "button", onclick: press }, plainText(one.text));
}

function overflow(one, choose) {
  const wrap = el("span", { class: "menu-wrap" });
  const close = () => wrap.querySelector(".menu")?.remove();
  const open = (event) => {
    event.stopPropagation();
    if (wrap.querySelector(".menu")) return close();
    document.querySelectorAll(".menu").forEach((menu) => menu.remove());
    wrap.append(el("div", { class: "menu", role: "menu" }, ...one.options.map((option) =>
      el("button", { type: "button", role: "menuitem", onclick: () => { close(); choose(option); } }, plainText(option.text)))));
    document.addEventListener("click", close, { once: true });
  };
  wrap.append(el("button", { class: "btn", type: "button", "aria-label": "More actions", onclick: open }, "⋯"));
  return wrap;
}

function select(one, chosen, keep, act) {
  const options = one.options ?? one.option_groups.flatMap((group) => group.options);
  if (chosen) keep({ selected_option: chosen });
  return el("select", { onchange: (event) => act({ selected_option: options[event.target.value] ?? null }) },
    el("option", { value: "" }, emojied(one.placeholder?.text ?? "Choose an option")),
    ...options.map((option, index) => el("option", { value: index, selected: option.value === chosen?.value }, plainText(option.text))));
}

function people(one, chosen, context, keep, act) {
  if (chosen) keep({ selected_user: chosen });
  return el("select", { onchange: (event) => act({ selected_user: event.target.value || null }) },
    el("option", { value: "" }, emojied(one.placeholder?.text ?? "Choose a person")),
    ...Object.values(context.people).map((person) => el("option", { value: person.slack_id, selected: person.slack_id === chosen }, person.name)));
}

function external(one, block, context, chosen, keep, act) {
  const list = el("select", { size: 5, hidden: true });
  const box = el("input", { placeholder: one.placeholder?.text ?? "Type to search", value: chosen?.text?.text ?? "" });
  let options = [], timer = 0;
  const ask = async () => {
    const answer = await context.suggest(block.block_id, one.action_id, box.value);
    options = answer?.options ?? (answer?.option_groups ?? []).flatMap((group) => group.options);
    list.replaceChildren(...options.map((option, index) => el("option", { value: index }, plainText(option.text))));
    list.hidden = !options.length;
  };
  if (chosen) keep({ selected_option: chosen });
  box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 200); });
  box.addEventListener("focus", () => { if ((one.min_query_length ?? 3) <= box.value.length) ask(); });
  list.addEventListener("change", () => {
    const option = options[list.value];
    box.value = plainText(option.text);
    list.hidden = true;
    act({ selected_option: option });
  });
  return el("div", {}, box, list);
}

function choices(one, block, kept, keep, act) {
  const many = one.type === "checkboxes";
  const picked = new Set((many ? kept?.selected_options ?? one.initial_options ?? [] : [kept?.selected_option ?? one.initial_option]).map((option) => option?.value));
  const current = () => one.options.filter((option) => picked.has(option.value));
  const value = () => (many ? { selected_options: current() } : { selected_option: current()[0] ?? null });
  keep(value());
  return el("div", { class: "choices" }, ...one.options.map((option) =>
    el("label", {}, el("input", {
      type: many ? "checkbox" : "radio", name: block.block_id, checked: picked.has(option.value),
      onchange: (event) => {
        if (!many) picked.clear();
        event.target.checked ? picked.add(option.value) : picked.delete(option.value);
        act(value());
      },
    }), el("span", {}, textObject(option.text, {}, {}), option.description ? el("small", {}, " " + emojied(option.description.text)) : null))));
}

function typed(one, value, keep, act) {
  const name = { datepicker: "selected_date", timepicker: "selected_time" }[one.type] ?? "value";
  keep({ [name]: value || null });
  const attributes = { placeholder: one.placeholder?.text ?? "", maxlength: one.max_length, oninput: (event) => keep({ [name]: event.target.value || null }) };
  if (name !== "value") attributes.onchange = (event) => act({ [name]: event.target.value || null });
  if (one.multiline) { const area = el("textarea", { rows: 4, ...attributes }); area.value = value; return area; }
  const type = { number_input: "number", email_text_input: "email", url_text_input: "url", datepicker: "date", timepicker: "time" }[one.type] ?? "text";
  return el("input", { type, value, ...attributes });
}
