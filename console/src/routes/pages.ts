/** Every page: where it is, who sees it, and where it stands in the navigation. */

import Bot from '@lucide/svelte/icons/bot'
import Blocks from '@lucide/svelte/icons/blocks'
import ChartColumn from '@lucide/svelte/icons/chart-column'
import CircleDollarSign from '@lucide/svelte/icons/circle-dollar-sign'
import Cpu from '@lucide/svelte/icons/cpu'
import Boxes from '@lucide/svelte/icons/boxes'
import File from '@lucide/svelte/icons/file'
import Gauge from '@lucide/svelte/icons/gauge'
import KeyRound from '@lucide/svelte/icons/key-round'
import Layers from '@lucide/svelte/icons/layers'
import LayoutDashboard from '@lucide/svelte/icons/layout-dashboard'
import ScrollText from '@lucide/svelte/icons/scroll-text'
import Settings from '@lucide/svelte/icons/settings'
import ShieldCheck from '@lucide/svelte/icons/shield-check'
import SquareTerminal from '@lucide/svelte/icons/square-terminal'
import Users from '@lucide/svelte/icons/users'
import Wallet from '@lucide/svelte/icons/wallet'
import type { Component } from 'svelte'
import type { SharedKey } from '$lib/i18n'
import { match, type Params } from '$lib/router.svelte'
import type { Permission } from '$lib/session.svelte'

export type PageProps = { params: Params }
export type Section = 'main' | 'build' | 'observe' | 'manage'

export type Page = {
  path: string
  /** The module below routes/, without its ending: `<folder>/Page` or `<folder>/Detail`. */
  module: string
  title: SharedKey
  /** One of these, in the organization or in some workspace, opens the page. */
  needs?: Permission[]
  /** Without a section a page is not in the navigation: one level below another. */
  section?: Section
  icon?: Component<{ size?: number | string }>
}

const all: Page[] = [
  { path: '/', module: 'dashboard/Page', title: 'page.dashboard', section: 'main', icon: LayoutDashboard, needs: ['usage:read'] },
  { path: '/workbench', module: 'workbench/Page', title: 'page.workbench', section: 'main', icon: SquareTerminal, needs: ['inference'] },

  { path: '/batches', module: 'batches/Page', title: 'page.batches', section: 'build', icon: Layers, needs: ['inference'] },
  { path: '/batches/:id', module: 'batches/Detail', title: 'page.batch', needs: ['inference'] },
  { path: '/files', module: 'files/Page', title: 'page.files', section: 'build', icon: File, needs: ['inference'] },
  { path: '/skills', module: 'skills/Page', title: 'page.skills', section: 'build', icon: Blocks, needs: ['inference'] },
  { path: '/skills/:id', module: 'skills/Detail', title: 'page.skill', needs: ['inference'] },
  { path: '/models', module: 'models/Page', title: 'page.models', section: 'build', icon: Cpu },

  { path: '/usage', module: 'usage/Page', title: 'page.usage', section: 'observe', icon: ChartColumn, needs: ['usage:read'] },
  { path: '/cost', module: 'cost/Page', title: 'page.cost', section: 'observe', icon: CircleDollarSign, needs: ['usage:read'] },
  { path: '/logs', module: 'logs/Page', title: 'page.logs', section: 'observe', icon: ScrollText, needs: ['usage:read'] },
  { path: '/limits', module: 'limits/Page', title: 'page.limits', section: 'observe', icon: Gauge, needs: ['limits:read'] },

  { path: '/keys', module: 'keys/Page', title: 'page.keys', section: 'manage', icon: KeyRound, needs: ['api_keys:read'] },
  { path: '/workspaces', module: 'workspaces/Page', title: 'page.workspaces', section: 'manage', icon: Boxes, needs: ['workspaces:read'] },
  { path: '/workspaces/:id', module: 'workspaces/Detail', title: 'page.workspace', needs: ['workspaces:read'] },
  { path: '/members', module: 'members/Page', title: 'page.members', section: 'manage', icon: Users, needs: ['members:read'] },
  { path: '/service-accounts', module: 'service_accounts/Page', title: 'page.service_accounts', section: 'manage', icon: Bot, needs: ['service_accounts:read'] },
  { path: '/billing', module: 'billing/Page', title: 'page.billing', section: 'manage', icon: Wallet, needs: ['spend:read'] },
  { path: '/audit', module: 'audit/Page', title: 'page.audit', section: 'manage', icon: ShieldCheck, needs: ['audit:read'] },
  { path: '/settings', module: 'settings/Page', title: 'page.settings', section: 'manage', icon: Settings },
]

const modules = import.meta.glob<{ default: Component<PageProps> }>('./*/{Page,Detail}.svelte')

export const load = (page: Page) => modules[`./${page.module}.svelte`]

/** The pages that are built in. */
export const pages = all.filter((page) => load(page))

export function find(path: string): { page: Page; params: Params } | null {
  for (const page of pages) {
    const params = match(page.path, path)
    if (params) return { page, params }
  }
  return null
}
