import { mount } from "svelte";
import App from "./App.svelte";
import { ask } from "./lib/lists";
import "./style/tokens.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/forms.css";
import "./style/lists.css";
import "./style/parts.css";
import "./style/inspector.css";
import "./style/overview.css";
import "./style/tree.css";

ask();
const target = document.getElementById("app");
if (target) mount(App, { target });
