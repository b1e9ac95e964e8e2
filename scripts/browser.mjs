// Opens pages in Chromium at several widths, light and dark: screenshots, and whatever a page does wrong.
//
//     node browser.mjs FOLDER PAGE...     exit code 1 if a page scrolls sideways, or says an error on the console
//
// CHROMIUM names the program. playwright-core is looked for where NODE_PATH says.

import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const { chromium } = createRequire(path.join(process.env.NODE_PATH, "any.js"))("playwright-core");
const [folder, ...pages] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
let wrong = 0;
const complain = (text) => {
  console.log(text);
  wrong += 1;
};

for (const file of pages) {
  const name = path.basename(file, ".html");
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [400, 800, 1600]) {
      const at = `${name}, ${width} px, ${colorScheme}`;
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      page.on("console", (message) => message.type() === "error" && complain(`${at}: ${message.text()}`));
      page.on("pageerror", (error) => complain(`${at}: ${error}`));
      page.on("request", (request) => request.url().startsWith("file:") || complain(`${at}: asks for ${request.url()}`));
      await page.goto(pathToFileURL(file).href);
      await page.screenshot({ path: path.join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      // What is below a fold counts, too.
      await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
      const over = await page.evaluate(() => {
        const wide = document.documentElement.scrollWidth - innerWidth;
        const outside = [...document.querySelectorAll("main *")].filter(
          (one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide, .unseen"),
        );
        return { wide, first: outside[0]?.outerHTML.slice(0, 100) };
      });
      if (over.wide > 0) complain(`${at}: is ${over.wide} px too wide: ${over.first}`);
      await page.close();
    }
  }
  // By keyboard: the first stop is the link past the navigation, every stop is seen, and a command is copied.
  const page = await browser.newPage({ viewport: { width: 800, height: 900 } });
  await page.goto(pathToFileURL(file).href);
  const stops = [];
  for (let stop = 0; stop < 12; stop += 1) {
    await page.keyboard.press("Tab");
    stops.push(
      await page.evaluate(() => {
        const focus = document.activeElement;
        // After the last stop comes the browser's own.
        if (focus === document.body) return { text: "", seen: true };
        return { text: focus.textContent.slice(0, 30), seen: getComputedStyle(focus).outlineStyle !== "none" };
      }),
    );
  }
  if (stops[0].text !== "To the content") complain(`${name}: the first stop of Tab is ${stops[0].text}`);
  for (const { text } of stops.filter((stop) => !stop.seen)) complain(`${name}: the focus is not seen at ${text}`);
  const [commands, buttons] = [await page.locator("pre.copy").count(), await page.locator("pre.copy + button").count()];
  if (commands !== buttons) complain(`${name}: ${commands} commands, and ${buttons} buttons that copy`);
  if (buttons > 0) {
    await page.locator("pre.copy + button").first().press("Enter");
    await page.waitForTimeout(200);
    const said = await page.locator("pre.copy + button").first().textContent();
    if (said === "Copy") complain(`${name}: the button does nothing`);
  }
  await page.pdf({ path: path.join(folder, `${name}.pdf`), format: "A4" });
  await page.close();
  console.log(`${name}: looked at`);
}
await browser.close();
process.exit(wrong > 0 ? 1 : 0);
