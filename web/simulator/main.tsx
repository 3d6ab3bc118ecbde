import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Page } from "./page.tsx";
import "./style.css";

const place = document.querySelector("#page");
if (place === null) throw new Error("The page has no place to be shown in.");
createRoot(place).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
