import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, INSTALL, keepPicture, openWindow, seriousFindings, type Size, type Window } from "./browser.ts";
import { startDemo, type Demo } from "./demo.ts";

const ASSETS = join(import.meta.dirname, "../../web/dist/simulator/assets");
const FIRST_LOAD_BYTES_MAX = 100_000;
/** Tabs until the end of the page; more means that focus is caught somewhere. */
const TABS_MAX = 120;

if (!hasChromium) process.stderr.write(`${INSTALL}\n`);

test("the page weighs at most 100 kB at first load", () => {
  const files = readdirSync(ASSETS).filter((name) => /\.(js|css|svg)$/.test(name));
  expect(files.length).toBeGreaterThan(1);
  const bytes = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(ASSETS, name))).length, 0);
  expect(bytes).toBeLessThan(FIRST_LOAD_BYTES_MAX);
});

describe.skipIf(!hasChromium)("a newcomer at /simulator", () => {
  let demo: Demo | undefined;
  let window: Window | undefined;
  beforeAll(async () => {
    demo = await startDemo();
  });
  afterAll(async () => {
    await demo?.stop();
  });
  afterEach(async () => {
    await window?.close();
    window = undefined;
  });

  /** The page in somebody's hands, with its lamp out of every network's reach: its keypad is the only way in. */
  async function open(look: { phone: string; size: Size; scheme: "light" | "dark" }): Promise<Window> {
    const url = demo?.url ?? "";
    window = await openWindow({ home: url, ...look });
    await window.page.goto(`${url}/simulator/?phone=${encodeURIComponent(look.phone)}`);
    await window.page.getByRole("switch").waitFor();
    return window;
  }

  /** What the page asked of other hosts, and what its console complains of. */
  const troubles = (): readonly string[] => [...(window?.strangers ?? ["no page"]), ...(window?.complaints ?? [])];

  test("dials, pays, reads the message, types the token, and the lamp lights", async () => {
    const { page } = await open({ phone: "+254712000105", size: "desktop", scheme: "light" });
    const { phone, lamp, hood } = partsOf(page);
    await lamp.getByRole("switch").click();
    await lamp.getByText("somebody must type the token").waitFor();
    expect(await lamp.getByText("Light off.").count()).toBe(1);
    await keepPicture(page, "1-before");
    await phone.getByRole("button", { name: "Call" }).click();
    await phone.getByText("Welcome Otieno Ochieng").waitFor();
    await keepPicture(page, "2-dialled");
    await answer(phone, "1");
    await phone.getByText("Type the amount").waitFor();
    await answer(phone, "150");
    await phone.getByText("1. Yes").waitFor();
    await answer(phone, "1");
    const prompt = page.getByRole("alertdialog", { name: "Mobile money" });
    await prompt.waitFor();
    await keepPicture(page, "3-prompt");
    await prompt.getByLabel("PIN").fill("1234");
    await prompt.getByRole("button", { name: "Pay" }).click();
    await phone.getByRole("tab", { name: "Messages 1 new" }).click();
    const message = phone.getByRole("listitem").filter({ hasText: "Received KES 150" });
    const token = tokenIn(await message.innerText());
    await hood.getByText("a token waits to be typed").waitFor();
    await keepPicture(page, "4-message");
    for (const digit of token) await lamp.getByRole("button", { name: digit, exact: true }).click();
    await lamp.getByText(token.replaceAll(/(\d{3})(?=\d)/g, "$1 ")).waitFor();
    await lamp.getByRole("button", { name: "hash, enter" }).click();
    await lamp.getByText("Light on.").waitFor();
    expect(await lamp.getByText("days left").innerText()).toBe("days left");
    await hood.getByText("The lamp has every token").waitFor();
    expect(await hood.getByRole("row", { name: "Sum 0.00" }).count()).toBe(1);
    for (const station of ["Request", "Callback", "Receipt", "Postings", "Days", "Token", "Message", "Device"])
      expect(await hood.getByRole("heading", { name: station, exact: true }).count()).toBe(1);
    await keepPicture(page, "5-lit");
    expect(troubles()).toEqual([]);
  });

  test("does the same with the keyboard alone", async () => {
    const { page } = await open({ phone: "+254712000104", size: "desktop", scheme: "dark" });
    const { phone, lamp } = partsOf(page);
    await tabTo(page, lamp.getByRole("switch"));
    await page.keyboard.press("Space");
    await lamp.getByText("somebody must type the token").waitFor();
    await page.keyboard.press("Control+Home");
    await tabTo(page, phone.getByLabel("Number to dial"));
    await page.keyboard.press("Enter");
    for (const [typed, next] of [
      ["1", "Tapez le montant"],
      ["100", "1. Oui"],
      ["1", "PIN"],
    ] as const) {
      await phone.getByLabel("Your answer").and(page.locator(":focus")).waitFor();
      await page.keyboard.type(typed);
      await page.keyboard.press("Enter");
      await phone.getByText(next).first().waitFor();
    }
    await page.getByRole("alertdialog").getByLabel("PIN").and(page.locator(":focus")).waitFor();
    await page.keyboard.type("1234");
    await page.keyboard.press("Enter");
    await page.getByRole("alertdialog").waitFor({ state: "detached" });
    await tabTo(page, phone.getByRole("tab", { selected: true }));
    await page.keyboard.press("ArrowRight");
    const message = phone.getByRole("listitem").filter({ hasText: "KES 100" });
    const token = tokenIn(await message.innerText());
    await tabTo(page, lamp.getByLabel("Token to type on the lamp"));
    await page.keyboard.type(token);
    await page.keyboard.press("Enter");
    await lamp.getByText("Light on.").waitFor();
    await keepPicture(page, "6-by-keyboard-dark");
    expect(troubles()).toEqual([]);
  });

  test("writes on WhatsApp, opens a list, presses a button, and says STOP", async () => {
    const { page } = await open({ phone: "+254712000105", size: "desktop", scheme: "light" });
    const { phone } = partsOf(page);
    await phone.getByRole("tab", { name: "Chat" }).click();
    await phone.getByText("Nobody has written yet.").waitFor();
    await keepPicture(page, "10-chat-empty");
    const chat = chatOf(phone);
    await write(phone, "MENU");
    await chat.getByText("Menu", { exact: true }).click();
    await keepPicture(page, "11-chat-list");
    await chat.getByRole("button", { name: "Pay", exact: true }).click();
    const asked = chat.getByRole("listitem").filter({ hasText: "Type the amount" });
    await asked.getByText("read").waitFor();
    await asked.getByRole("button", { name: "Back" }).click();
    await chat.getByText("Menu", { exact: true }).nth(1).waitFor();
    await write(phone, "BALANCE");
    await chat.getByText(/^PG-\d+: /).waitFor();
    await write(phone, "STOP");
    await chat.getByText("You get no more reminders").waitFor();
    await keepPicture(page, "12-chat-stopped");
    expect(troubles()).toEqual([]);
  });

  test("does the same with the keyboard alone, in French", async () => {
    const { page } = await open({ phone: "+254712000104", size: "desktop", scheme: "dark" });
    const { phone } = partsOf(page);
    await tabTo(page, phone.getByRole("tab", { selected: true }));
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await tabTo(page, phone.getByLabel("Message to Washa"));
    await page.keyboard.type("MENU");
    await page.keyboard.press("Enter");
    const chat = chatOf(phone);
    const list = chat.getByText("Menu", { exact: true });
    await list.waitFor();
    await tabTo(page, list, "Shift+Tab");
    await page.keyboard.press("Enter");
    await tabTo(page, chat.getByRole("button", { name: "Payer", exact: true }));
    await page.keyboard.press("Enter");
    await chat.getByText("Tapez le montant").waitFor();
    expect(troubles()).toEqual([]);
  });

  test.each([
    { size: "desktop", scheme: "light" },
    { size: "desktop", scheme: "dark" },
    { size: "phone", scheme: "light" },
    { size: "phone", scheme: "dark" },
  ] as const)("can use it on a $size in $scheme, whatever helps them to see", async ({ size, scheme }) => {
    const { page } = await open({ phone: "+254712000101", size, scheme });
    const { phone, lamp, hood } = partsOf(page);
    await hood.getByRole("heading", { name: "Device" }).waitFor();
    await phone.getByRole("button", { name: "Call" }).click();
    await phone.getByRole("status", { name: "Screen" }).getByText("Welcome Asha Mwende").waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await keepPicture(page, `7-${size}-${scheme}-dial`);
    await phone.getByRole("tab", { name: "Messages" }).click();
    await lamp.getByText("What the lamp remembers").click();
    await hood.getByText("The provider's bytes").click();
    expect(await seriousFindings(page)).toEqual([]);
    await keepPicture(page, `7-${size}-${scheme}-messages`);
    await phone.getByRole("tab", { name: "Chat" }).click();
    await write(phone, "MENU");
    await chatOf(phone).getByText("Menu", { exact: true }).last().click();
    await chatOf(phone).getByRole("button", { name: "Pay", exact: true }).last().waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await keepPicture(page, `7-${size}-${scheme}-chat`);
    await phone.getByRole("tab", { name: "Money" }).click();
    await phone.getByLabel("Account number").fill("PG-1000");
    await phone.getByRole("button", { name: "Pay KES 150" }).click();
    await phone.getByText("does not take payments for").waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await keepPicture(page, `7-${size}-${scheme}-money`);
    const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    expect(overflow).toBe(0);
    expect(troubles()).toEqual([]);
  });

  test("sees a prompt asked, refused, and nothing paid", async () => {
    const { page } = await open({ phone: "+254712000102", size: "phone", scheme: "dark" });
    const { phone } = partsOf(page);
    await phone.getByLabel("Number to dial").fill("*384*123*1*70#");
    await phone.getByRole("button", { name: "Call" }).click();
    await phone.getByText("1. Ndiyo").waitFor();
    await answer(phone, "1");
    const prompt = page.getByRole("alertdialog", { name: "Mobile money" });
    await prompt.waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await keepPicture(page, "8-prompt-on-a-phone");
    await prompt.getByRole("button", { name: "Refuse" }).click();
    await prompt.waitFor({ state: "detached" });
    expect(await page.getByText("Nothing was paid yet").count()).toBe(1);
    expect(troubles()).toEqual([]);
  });

  test("moves the lamp's clock until the light goes out, and waits after wrong tokens", async () => {
    const { page } = await open({ phone: "+254712000101", size: "desktop", scheme: "light" });
    const { lamp } = partsOf(page);
    await lamp.getByText("Light on.").waitFor();
    await lamp.getByRole("button", { name: "+7 days" }).click();
    await lamp.getByText("Light off.").waitFor();
    const field = lamp.getByLabel("Token to type on the lamp");
    await field.fill("123 456 789");
    await field.press("Enter");
    await lamp.getByText("After a wrong token").waitFor();
    await keepPicture(page, "9-keypad-waits");
    await lamp.getByRole("button", { name: "+1 hour" }).click();
    await lamp.getByText("After a wrong token").waitFor({ state: "detached" });
    expect(troubles()).toEqual([]);
  });
});

const partsOf = (page: Page) => ({
  phone: page.getByRole("region", { name: "Phone" }),
  lamp: page.getByRole("region", { name: "Lamp" }),
  hood: page.getByRole("region", { name: "Under the hood" }),
});

/** Presses the phone's own keys and sends. */
async function answer(phone: Locator, digits: string): Promise<void> {
  for (const digit of digits) await phone.getByRole("button", { name: digit, exact: true }).click();
  await phone.getByRole("button", { name: "Send" }).click();
}

const chatOf = (phone: Locator): Locator => phone.getByRole("list", { name: "Chat" });

/** Writes in the tab that is open, and waits until the program's door has it. */
async function write(phone: Locator, text: string): Promise<void> {
  const field = phone.getByLabel("Message to Washa").filter({ visible: true });
  await field.fill(text);
  await field.press("Enter");
  await phone.getByRole("listitem").filter({ hasText: text }).filter({ hasText: "delivered" }).last().waitFor();
}

async function tabTo(page: Page, wanted: Locator, key: "Tab" | "Shift+Tab" = "Tab"): Promise<void> {
  for (let tabs = 0; tabs < TABS_MAX; tabs++) {
    if ((await wanted.and(page.locator(":focus")).count()) > 0) return;
    await page.keyboard.press(key);
  }
  throw new Error("The keyboard does not get there.");
}

function tokenIn(text: string): string {
  const [found = ""] = /\d{3}(?: \d{3}){2,}/.exec(text) ?? [];
  expect(found).not.toBe("");
  return found.replaceAll(" ", "");
}
