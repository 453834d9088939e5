"""The methods of PyGithub that change something, or could, and that no operation covers: a wrapped client refuses them.

What is covered later leaves this list; what a release of PyGithub brings must be put into it, among the reads, or be
given a row. `test_sdk_walk.py` says which.
"""

from __future__ import annotations

_REFUSED = {
    "ApplicationOAuth": "get_access_token refresh_access_token",
    "Artifact": "delete",
    "AuthenticatedUser": (
        "accept_invitation add_to_emails add_to_following add_to_starred add_to_subscriptions "
        "add_to_watched create_authorization create_fork create_gist create_key create_migration "
        "create_project create_repo create_repo_from_template edit mark_notifications_as_read "
        "remove_from_emails remove_from_following remove_from_starred remove_from_subscriptions "
        "remove_from_watched"
    ),
    "Authorization": "delete edit",
    "Branch": (
        "add_required_signatures add_team_push_restrictions add_user_push_restrictions edit_protection "
        "edit_required_pull_request_reviews edit_required_status_checks remove_admin_enforcement "
        "remove_allow_deletions remove_protection remove_push_restrictions "
        "remove_required_pull_request_reviews remove_required_signatures remove_required_status_checks "
        "remove_team_push_restrictions remove_user_push_restrictions replace_team_push_restrictions "
        "replace_user_push_restrictions set_admin_enforcement set_allow_deletions"
    ),
    "CheckRun": "edit",
    "CheckSuite": "rerequest",
    "Commit": "create_comment create_status",
    "CommitComment": "create_reaction delete delete_reaction edit",
    "Copilot": "add_seats remove_seats",
    "Deployment": "create_status",
    "Download": "delete",
    "Environment": "create_secret create_variable delete_secret delete_variable",
    "Gist": "create_comment create_fork delete edit reset_starred set_starred",
    "GistComment": "delete edit",
    "GitRef": "edit",
    "GitRelease": "delete_release update_release upload_asset upload_asset_from_memory",
    "GitReleaseAsset": "delete_asset update_asset",
    "Github": "render_markdown",
    "Hook": "delete edit ping test",
    "Issue": (
        "add_blocked_by add_sub_issue add_to_assignees create_reaction delete_reaction "
        "prioritize_sub_issue remove_blocked_by remove_from_assignees remove_sub_issue"
    ),
    "IssueComment": "create_reaction delete_reaction minimize unminimize",
    "Migration": "delete unlock_repo",
    "Notification": "mark_as_done mark_as_read",
    "Organization": (
        "add_to_members add_to_public_members attach_security_config_to_repositories cancel_invitation "
        "convert_to_outside_collaborator create_code_security_config create_custom_properties "
        "create_custom_property create_custom_property_values create_fork create_hook create_migration "
        "create_project create_repo create_repo_from_template create_secret "
        "create_self_hosted_runner_jitconfig create_self_hosted_runner_registration_token "
        "create_self_hosted_runner_remove_token create_team create_variable delete_code_security_config "
        "delete_hook delete_self_hosted_runner detach_security_config_from_repositories edit "
        "edit_code_security_config edit_hook invite_user remove_custom_property remove_from_members "
        "remove_from_membership remove_from_public_members remove_outside_collaborator "
        "set_default_code_security_config"
    ),
    "OrganizationInvitation": "cancel",
    "OrganizationSecret": "add_repo edit remove_repo",
    "OrganizationVariable": "add_repo edit remove_repo",
    "Project": "create_column delete edit",
    "ProjectCard": "delete edit move",
    "ProjectColumn": "create_card delete edit move",
    "PullRequest": (
        "add_to_assignees convert_to_draft create_comment create_review create_review_comment "
        "create_review_comment_reply create_review_request  delete_review_request "
        "disable_automerge enable_automerge mark_ready_for_review merge remove_from_assignees "
        "restore_branch update_branch"
    ),
    "PullRequestComment": "create_reaction delete delete_reaction edit",
    "PullRequestReview": "delete dismiss edit",
    "Reaction": "delete",
    "Repository": (
        "add_to_collaborators attach_security_config create_autolink create_check_run create_check_suite "
        "create_deployment create_environment create_fork create_git_blob create_git_commit "
        "create_git_release create_git_tag create_git_tag_and_release create_git_tree create_hook "
        "create_key create_project create_repository_advisory create_repository_dispatch create_secret "
        "create_source_import create_variable delete delete_environment delete_secret delete_variable "
        "detach_security_config disable_automated_security_fixes disable_vulnerability_alert edit "
        "enable_automated_security_fixes enable_vulnerability_alert generate_release_notes "
        "mark_notifications_as_read merge merge_upstream remove_autolink remove_from_collaborators "
        "remove_invitation remove_self_hosted_runner rename_branch replace_topics "
        "report_security_vulnerability subscribe_to_hub transfer_ownership unsubscribe_from_hub "
        "update_check_suites_preferences update_custom_properties update_dependabot_alert"
    ),
    "RepositoryAdvisory": (
        "accept_report add_vulnerabilities add_vulnerability clear_credits close edit offer_credit "
        "offer_credits publish request_cve revoke_credit"
    ),
    "RepositoryDiscussion": "add_comment",
    "RepositoryDiscussionComment": "delete edit",
    "RepositoryKey": "delete",
    "Requester": (
        "DEBUG_ON_RESPONSE NEW_DEBUG_FRAME check_me graphql_named_mutation graphql_named_mutation_class "
        "injectConnectionClasses injectLogger resetConnectionClasses resetLogger setDebugFlag "
        "setOnCheckMe"
    ),
    "Secret": "delete",
    "Team": (
        "add_membership add_to_members add_to_repos delete edit remove_from_members remove_from_repos "
        "remove_membership set_repo_permission update_team_repository"
    ),
    "UserKey": "delete",
    "Variable": "delete edit",
    "Workflow": "create_dispatch disable enable",
    "WorkflowRun": "cancel delete rerun rerun_failed_jobs",
}
REFUSED = frozenset(f"{owner}.{name}" for owner, names in _REFUSED.items() for name in names.split())
"""As `Class.method`."""
