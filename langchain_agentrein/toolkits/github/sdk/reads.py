"""The methods of PyGithub that only read: they send GET requests and GraphQL queries, or nothing.

Whatever does not stand here, and has no row, is taken for one that writes. Checked against the installed source by
`tests/integration_tests/toolkits/github/sdk/test_sdk_walk.py`.
"""

from __future__ import annotations

_READS = {
    "ApplicationOAuth": "get_app_user_auth get_login_url get_oauth_url",
    "AuthenticatedUser": (
        "get_authorization get_authorizations get_emails get_events get_followers get_following get_gists "
        "get_installations get_invitations get_issues get_key get_keys get_migrations get_notification "
        "get_notifications get_organization_events get_organization_membership "
        "get_organization_memberships get_orgs get_repo get_repos get_starred get_starred_gists "
        "get_subscriptions get_teams get_user_issues get_watched has_in_following has_in_starred "
        "has_in_subscriptions has_in_watched"
    ),
    "Branch": (
        "get_admin_enforcement get_allow_deletions get_protection get_required_pull_request_reviews "
        "get_required_signatures get_required_status_checks get_team_push_restrictions "
        "get_user_push_restrictions"
    ),
    "BranchProtection": "get_team_push_restrictions get_user_push_restrictions",
    "CheckRun": "get_annotations",
    "CheckSuite": "get_check_runs",
    "CodeScanAlert": "get_instances",
    "Commit": (
        "get_branches_where_head get_check_runs get_check_suites get_combined_status get_comments "
        "get_files get_pulls get_statuses"
    ),
    "CommitComment": "get_reactions",
    "Comparison": "get_commits",
    "CompletableGithubObject": "complete update",
    "CompletableGithubObjectWithPaginatedProperty": "update",
    "Copilot": "get_seats",
    "Deployment": "get_status get_statuses",
    "Enterprise": "from_slug get_consumed_licenses",
    "EnterpriseConsumedLicenses": "get_users",
    "Environment": "get_public_key get_secret get_secrets get_variable get_variables",
    "Gist": "get_comment get_comments is_starred",
    "GitRelease": "get_assets",
    "GitReleaseAsset": "download_asset",
    "Github": (
        "close create_from_raw_data dump get_app get_emojis get_enterprise get_events get_gist get_gists "
        "get_gitignore_template get_gitignore_templates get_global_advisories get_global_advisory "
        "get_hook get_hook_deliveries get_hook_delivery get_hooks get_license get_licenses "
        "get_oauth_application get_organization get_organizations get_project get_project_column "
        "get_rate_limit get_repo get_repos get_repository_discussion get_user get_user_by_id get_users "
        "load search_code search_commits search_issues search_repositories search_topics search_users "
        "withLazy"
    ),
    "GithubObject": "get__repr__ is_graphql is_rest setCheckAfterInitFlag",
    "GraphQlObject": "is_graphql",
    "Installation": "get_github_for_installation get_repos",
    "Issue": (
        "as_pull_request get_blocked_by get_blocking get_comment get_comments get_events get_labels "
        "get_reactions get_sub_issues get_timeline"
    ),
    "IssueComment": "get_reactions",
    "Migration": "get_archive_url get_status",
    "Milestone": "get_labels",
    "NamedUser": (
        "get_events get_followers get_following get_gists get_keys get_organization_membership get_orgs "
        "get_projects get_public_events get_public_received_events get_received_events get_repo get_repos "
        "get_starred get_subscriptions get_watched has_in_following"
    ),
    "Notification": "get_issue get_pull_request",
    "Organization": (
        "get_code_security_config get_code_security_configs get_codescan_alerts get_copilot "
        "get_custom_properties get_custom_property get_default_code_security_configs "
        "get_dependabot_alerts get_events get_hook get_hook_deliveries get_hook_delivery get_hooks "
        "get_installations get_issues get_members get_migrations get_outside_collaborators get_projects "
        "get_public_key get_public_members get_repo get_repos get_repos_for_code_security_config "
        "get_secret get_secret_scanning_alerts get_secrets get_self_hosted_runner "
        "get_self_hosted_runner_applications get_self_hosted_runners get_team get_team_by_slug get_teams "
        "get_variable get_variables has_in_members has_in_public_members invitations "
        "list_custom_property_values"
    ),
    "OrganizationSecret": "get_public_key",
    "PaginatedList": "get_page merge_dicts override_attributes paths_of_dict",
    "Project": "get_columns",
    "ProjectCard": "get_content",
    "ProjectColumn": "get_cards",
    "PublicKey": "encrypt",
    "PullRequest": (
        "as_issue get_comment get_comments get_commits get_files get_issue_comment "
        "get_issue_comments get_issue_events get_issue_timeline get_labels get_review get_review_comment "
        "get_review_comments get_review_requests get_reviews get_single_review_comments is_merged"
    ),
    "PullRequestComment": "get_reactions",
    "Repository": (
        "as_url_param compare get_archive_link get_artifact get_artifacts get_assignees get_autolinks "
        "get_automated_security_fixes get_branch get_branches get_check_run get_check_suite "
        "get_clones_traffic get_codescan_alert get_codescan_alerts get_collaborator_permission "
        "get_collaborator_role_name get_collaborators get_comment get_comments get_commit get_commits "
        "get_contents get_contributors get_custom_properties get_dependabot_alert get_dependabot_alerts "
        "get_deployment get_deployments get_dir_contents get_discussion get_discussions get_download "
        "get_downloads get_environment get_environments get_events get_forks get_git_blob get_git_commit "
        "get_git_matching_refs get_git_ref get_git_refs get_git_tag get_git_tree get_hook "
        "get_hook_deliveries get_hook_delivery get_hooks get_issue get_issues get_issues_comments "
        "get_issues_event get_issues_events get_key get_keys get_label get_labels get_languages "
        "get_latest_release get_license get_milestone get_milestones get_network_events get_notifications "
        "get_pending_invitations get_projects get_public_key get_pull get_pulls get_pulls_comments "
        "get_pulls_review_comments get_readme get_release get_release_asset get_releases "
        "get_repository_advisories get_repository_advisory get_secret get_secret_scanning_alert "
        "get_secret_scanning_alerts get_secrets get_security_config get_self_hosted_runner "
        "get_self_hosted_runners get_source_import get_stargazers get_stargazers_with_dates "
        "get_stats_code_frequency get_stats_commit_activity get_stats_contributors "
        "get_stats_participation get_stats_punch_card get_subscribers get_tags get_teams get_top_paths "
        "get_top_referrers get_topics get_variable get_variables get_views_traffic "
        "get_vulnerability_alert get_watchers get_workflow get_workflow_job get_workflow_run "
        "get_workflow_runs get_workflows has_in_assignees has_in_collaborators legacy_search_issues"
    ),
    "RepositoryDiscussion": "get_comments get_labels get_reactions",
    "RepositoryDiscussionComment": "get_reactions get_replies",
    "Requester": (
        "add_parameters_to_url close createException data_as_class getFile getStream get_graphql_prefix "
        "get_parameters_of_url graphql_node graphql_node_class isPrimaryRateLimitError isRateLimitError "
        "isSecondaryRateLimitError noopAuth paths_of_dict remove_suffix withApiVersion withAuth withLazy"
    ),
    "SourceImport": "update",
    "StatsPunchCard": "get",
    "Team": (
        "get_discussions get_members get_repo_permission get_repos get_team_membership get_teams "
        "has_in_members has_in_repos invitations"
    ),
    "Workflow": "get_runs",
    "WorkflowJob": "logs_url",
    "WorkflowRun": "get_artifacts get_attempt jobs timing",
}
READS = frozenset(f"{owner}.{name}" for owner, names in _READS.items() for name in names.split())
"""As `Class.method`."""
