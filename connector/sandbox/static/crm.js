// The CRM pane: new contacts, newest change first, and a drawer with one contact's values and history.

import { ask } from "./ask.js";
import { el } from "./mrkdwn.js";

const byId = (id) => document.getElementById(id);
const SHOWN = 250;
const STAGES = ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"];
const STAGE_WORDS = { marketingqualifiedlead: "MQL", salesqualifiedlead: "SQL" };
const time = (ms) => new Date(Number(ms)).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const clip = (text, most = 120) => (text.length > most ? text.slice(0, most) + "…" : text);

export class Crm {
  constructor(people) {
    this.owners = Object.fromEntries(Object.values(people).filter((p) => p.owner_id).map((p) => [p.owner_id, p]));
    this.contacts = new Map();
    this.tasks = new Map();
    this.rows = new Map();
    this.since = 0;
    for (const id of ["crm-search", "crm-tier"]) byId(id).addEventListener("input", () => this.draw());
    byId("crm-new").addEventListener("click", () => this.openForm());
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") byId("drawer").hidden = true; });
  }

  async refresh() {
    const state = await ask(`/sandbox/crm/state?since=${this.since}`);
    if (state.changes === this.since) return;
    const first = this.since === 0;
    this.since = state.changes;
    for (const task of state.tasks) this.tasks.set(task.id, task);
    for (const contact of state.contacts) this.contacts.set(contact.id, { ...contact, fresh: !first });
    this.draw();
  }

  tier(contact) {
    return (contact.properties.leadswitch_tier ?? "").toUpperCase();
  }

  name(contact) {
    const { firstname, lastname, email } = contact.properties;
    return clip([firstname, lastname].map((part) => (part ?? "").trim()).filter(Boolean).join(" ") || email || `Contact ${contact.id}`);
  }

  draw() {
    const words = byId("crm-search").value.toLowerCase(), tier = byId("crm-tier").value;
    const all = [...this.contacts.values()];
    const found = all
      .filter((c) => !tier || this.tier(c) === tier)
      .filter((c) => !words || [this.name(c), c.properties.company, c.properties.email].some((text) => text?.toLowerCase().includes(words)))
      .sort((a, b) => b.seen - a.seen);
    byId("crm-rows").replaceChildren(...found.slice(0, SHOWN).map((contact) => this.row(contact)));
    byId("crm-count").textContent = found.length > SHOWN ? `${SHOWN} of ${found.length} shown` : `${found.length}`;
    byId("crm-empty").hidden = all.length > 0;
    const owned = all.filter((c) => c.properties.hubspot_owner_id).length;
    const figures = ["A", "B", "C", "D"].map((t) => [t, all.filter((c) => this.tier(c) === t).length]);
    byId("crm-figures").replaceChildren(
      ...figures.map(([name, count]) => el("span", { class: "figure" }, el("span", { class: `tier tier-${name}` }, name), el("b", {}, String(count)))),
      el("span", { class: "figure" }, el("b", {}, String(owned)), "with an owner"),
      el("span", { class: "figure" }, el("b", {}, String(this.tasks.size)), "tasks"));
  }

  row(contact) {
    const known = this.rows.get(contact.id);
    if (known && known.seen === contact.seen) return known.node;
    const { company, hubspot_owner_id: owner, lifecyclestage: stage, leadswitch_score: score } = contact.properties;
    const tier = this.tier(contact);
    const scored = score == null ? el("span", { class: "none" }, "–") : el("span", {},
      tier ? el("span", { class: `tier tier-${tier}` }, tier) : null, String(score),
      el("span", { class: "meter" }, el("i", { style: `width:${Number(score)}%` })));
    const node = el("tr", { class: contact.fresh ? "fresh" : "", onclick: () => this.open(contact.id) },
      el("td", {}, el("span", { class: "name" }, this.name(contact)), el("span", { class: "sub" }, company ?? "–")),
      el("td", {}, owner ? this.owners[owner]?.name ?? owner : el("span", { class: "none" }, "no owner")),
      el("td", {}, scored),
      el("td", {}, el("span", { class: "stage" }, STAGE_WORDS[stage] ?? stage ?? "–")),
      el("td", {}, contact.tasks.length ? `✓ ${contact.tasks.length > 1 ? contact.tasks.length : ""}` : el("span", { class: "none" }, "–")));
    this.rows.set(contact.id, { seen: contact.seen, node });
    return node;
  }

  async open(id) {
    const contact = await ask(`/sandbox/crm/contacts/${id}`);
    const values = Object.entries(contact.history).map(([name, entries]) => [name, entries.at(-1)[1]]).sort();
    const changes = Object.entries(contact.history)
      .flatMap(([name, entries]) => entries.map(([at, value, source, by]) => ({ name, at, value, source, by })))
      .sort((a, b) => b.at - a.at).slice(0, 60);
    const tasks = contact.tasks.map((task) => this.tasks.get(task)).filter(Boolean);
    this.fill(
      el("h3", {}, this.name(contact)),
      el("small", {}, `${contact.properties.company ?? ""} · contact ${id}`),
      this.changeForm(contact),
      el("h4", {}, "Tasks"),
      el("ol", {}, ...tasks.map((task) => el("li", {}, el("b", {}, task.properties.hs_task_subject ?? "Task"),
        el("small", {}, `due ${task.properties.hs_timestamp ?? "?"} · ${this.owners[task.properties.hubspot_owner_id]?.name ?? "nobody"}`)))),
      el("h4", {}, "Properties"),
      el("dl", {}, ...values.flatMap(([name, value]) => [el("dt", { title: name }, name), el("dd", {}, clip(value, 400))])),
      el("h4", {}, "History"),
      el("ol", {}, ...changes.map((change) => el("li", { class: change.source === "INTEGRATION" ? "ours" : "" },
        el("b", {}, change.name), ` → ${clip(change.value, 100)}`, el("small", {}, `${time(change.at)} · ${change.source}`)))));
  }

  fill(...children) {
    const drawer = byId("drawer");
    drawer.replaceChildren(el("button", { class: "x", "aria-label": "Close", onclick: () => { drawer.hidden = true; } }, "×"), ...children);
    drawer.hidden = false;
  }

  changeForm(contact) {
    const owner = el("select", {}, el("option", { value: "" }, "no owner"), ...Object.values(this.owners).map((o) =>
      el("option", { value: o.owner_id, selected: o.owner_id === contact.properties.hubspot_owner_id }, o.name)));
    const stage = el("select", {}, ...STAGES.map((name) => el("option", { selected: name === contact.properties.lifecyclestage }, name)));
    const save = async (name, value) => {
      await ask(`/sandbox/crm/contacts/${contact.id}`, { [name]: value }, "PATCH");
      await this.open(contact.id);
    };
    owner.addEventListener("change", () => save("hubspot_owner_id", owner.value));
    stage.addEventListener("change", () => save("lifecyclestage", stage.value));
    return el("form", {}, el("label", {}, "Owner", owner), el("label", {}, "Lifecycle stage", stage));
  }

  openForm() {
    const names = { firstname: "First name", lastname: "Last name", email: "E-mail", company: "Company", jobtitle: "Job title", message: "Message" };
    const inputs = Object.fromEntries(Object.keys(names).map((name) => [name, el("input", { name })]));
    const note = el("small", {});
    const submit = async (event) => {
      event.preventDefault();
      const values = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]).filter(([, value]) => value));
      const answer = await ask("/sandbox/crm/contacts", { hs_analytics_source: "DIRECT_TRAFFIC", ...values });
      if (answer.error) note.textContent = answer.error;
      else await this.open(answer.id);
    };
    this.fill(el("h3", {}, "Create contact"), el("form", { onsubmit: submit },
      ...Object.entries(names).map(([name, label]) => el("label", {}, label, inputs[name])), el("button", { class: "primary" }, "Create"), note));
    inputs.firstname.focus();
  }
}
